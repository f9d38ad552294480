//! What is true of an upstream as a whole.

/// What exdav relies on when it reads and writes, as an upstream keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one fact about servers, looked up by name")]
pub struct Capabilities {
    /// A change is refused when the version that it is based on is not the item's last. MS-OXWSCORE 3.1.4.9.4.1
    pub judges_versions: bool,
    /// What was acknowledged is stored as it was sent: nothing has to be read back.
    pub stores_what_it_takes: bool,
    /// `contacts:EmailAddresses` and the like give whole dictionaries; else each entry is asked for by itself.
    pub gives_dictionaries: bool,
    /// `InstanceIndex` counts deleted occurrences. MS-OXWSCORE 2.2.4.33
    pub counts_deleted_occurrences: bool,
    /// An invitation that was declined leaves the calendar by itself.
    pub removes_declined: bool,
    /// `item:Body` can be deleted, and `item:ReminderIsSet` be set to false.
    pub clears_by_usual_means: bool,
    /// A meeting can be written without its guests being told.
    pub writes_silently: bool,
    /// An event keeps the UID that it was made with.
    pub keeps_uids: bool,
    /// Items can be moved and copied into another folder.
    pub moves_items: bool,
    /// Tasks have a place for the text that a client wrote.
    pub keeps_text_of_tasks: bool,
    /// Contact groups are stored.
    pub takes_groups: bool,
    /// Tasks may recur.
    pub takes_recurring_tasks: bool,
    /// Nothing comes over a connection after the answer to a request: another one may be sent over it at once.
    pub answers_once: bool,
    /// Of Status, PercentComplete and CompleteDate of a task, each sets the others, and is stored as it was sent.
    /// MS-OXWSTASK 2.2.4.6
    pub derives_task_state: bool,
    /// The first year of which a day is stored as that day: earlier ones, and days without a year, stay in the text.
    pub first_year: i16,
    /// Places have coordinates beside their names.
    pub holds_coordinates: bool,
    /// A busy status says that somebody works elsewhere.
    pub has_working_elsewhere: bool,
    /// The longest interval of a monthly rule, in months; `None`: that of the protocol.
    pub longest_months: Option<u32>,
}

impl Capabilities {
    /// All of it.
    pub const ALL: Self = Self {
        judges_versions: true,
        stores_what_it_takes: true,
        gives_dictionaries: true,
        counts_deleted_occurrences: true,
        removes_declined: true,
        clears_by_usual_means: true,
        writes_silently: true,
        keeps_uids: true,
        moves_items: true,
        keeps_text_of_tasks: true,
        takes_groups: true,
        takes_recurring_tasks: true,
        answers_once: true,
        derives_task_state: true,
        first_year: 1601,
        holds_coordinates: true,
        has_working_elsewhere: true,
        longest_months: None,
    };
}
