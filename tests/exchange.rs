//! The simulated Exchange does what Exchange does, where programs other than exdav rely on it.

use crate::support::{Stage, USER};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exdav::simulator;
use exdav::text::Component;
use std::collections::BTreeSet;

/// PidTagInternetArticleNumber: a number, which DavMail puts a folder in order by.
const NUMBER: &str = "<t:ExtendedFieldURI PropertyTag='0xe23' PropertyType='Integer'/>";

/// Numbers of one page of a calendar that is read in their order, and whether it was the last page.
async fn page(stage: &Stage, order: &str, offset: usize, restriction: &str) -> (Vec<u64>, bool) {
    let answer = stage
        .colleague(
            USER,
            &format!(
                "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>\
                 <t:AdditionalProperties>{NUMBER}</t:AdditionalProperties></m:ItemShape>\
                 <m:IndexedPageItemView MaxEntriesReturned='500' Offset='{offset}' BasePoint='Beginning'/>{restriction}\
                 <m:SortOrder><t:FieldOrder Order='{order}'>{NUMBER}</t:FieldOrder></m:SortOrder>\
                 <m:ParentFolderIds><t:DistinguishedFolderId Id='calendar'/></m:ParentFolderIds></m:FindItem>"
            ),
        )
        .await;
    let numbers =
        answer.split("<t:Value>").skip(1).map(|rest| rest.split('<').next().unwrap().parse().unwrap());
    (numbers.collect(), answer.contains("IncludesLastItemInRange=\"true\""))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_read_page_by_page_in_the_order_of_a_number_is_read_once_and_whole() {
    let settings = simulator::Settings { events: Some(1_100), ..simulator::Settings::default() };
    let stage = Stage::of(settings).await;
    let recurring = "<m:Restriction><t:IsEqualTo><t:ExtendedFieldURI DistinguishedPropertySetId='Appointment' \
                     PropertyId='33315' PropertyType='Boolean'/><t:FieldURIOrConstant><t:Constant Value='false'/>\
                     </t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>";
    for (restriction, at_least) in [("", 1_100), (recurring, 800)] {
        let mut numbers: Vec<u64> = Vec::new();
        loop {
            let (page, is_last) = page(&stage, "Ascending", numbers.len(), restriction).await;
            assert!(!page.is_empty(), "an empty page after {} items", numbers.len());
            numbers.extend(page);
            if is_last {
                break;
            }
        }
        assert!(numbers.len() >= at_least, "{} items", numbers.len());
        assert!(numbers.is_sorted(), "999 comes before 1000");
        assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len(), "nothing is read twice");
        let (descending, _) = page(&stage, "Descending", 0, restriction).await;
        assert_eq!(descending.first(), numbers.last());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mime_content_of_a_contact_is_a_card_of_version_3() {
    let stage = Stage::empty(1).await;
    let made = stage
        .colleague(
            USER,
            "<m:CreateItem><m:Items><t:Contact><t:DisplayName>Jo; One, and a name that is longer than a line of a \
             vCard may be: Ä</t:DisplayName><t:GivenName>Jo</t:GivenName><t:CompanyName>Acme, Inc.</t:CompanyName>\
             <t:Surname>One</t:Surname></t:Contact></m:Items></m:CreateItem>",
        )
        .await;
    let id = made.split("<t:ItemId ").nth(1).unwrap().split("/>").next().unwrap();
    let answer = stage
        .colleague(
            USER,
            &format!(
                "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true\
                 </t:IncludeMimeContent></m:ItemShape><m:ItemIds><t:ItemId {id}/></m:ItemIds></m:GetItem>"
            ),
        )
        .await;
    let mime = answer.split("<t:MimeContent").nth(1).unwrap();
    let mime = mime.split_once('>').unwrap().1.split('<').next().unwrap();
    let card = String::from_utf8(STANDARD.decode(mime).unwrap()).unwrap();
    assert!(card.starts_with("BEGIN:VCARD\r\nPROFILE:VCARD\r\nVERSION:3.0\r\n"), "{card}");
    // Read by a reader that did not write it.
    let card = Component::parse(card.as_bytes()).unwrap();
    let name = card.line("FN").unwrap().unescaped();
    assert_eq!(name, "Jo; One, and a name that is longer than a line of a vCard may be: Ä");
    assert_eq!(card.value("N"), Some("One;Jo;;;"));
    assert_eq!(card.line("ORG").unwrap().unescaped(), "Acme, Inc.");
}
