//! FindItem: the few items that a property names. MS-OXWSSRCH 3.1.4.2

use super::{FolderSelector, folder_id, missing};
use crate::ews::client::{Repeat, Session};
use crate::ews::error::Error;
use crate::ews::field::ExtendedProperty;
use crate::ews::soap::{check, m, messages};
use crate::ews::types::write::extended_uri;
use crate::ews::types::{class_of, item_id, name as t};
use crate::model::item::{ItemClass, ItemId};

impl Session {
    /// Ids of the items of a folder of which one of these properties has this value. With a restriction Exchange gives
    /// at most 250, and walks through the folder: for single questions only. docs/EXCHANGE.md, Limits
    pub async fn find_items(
        &self,
        folder: &str,
        wanted: &[(ExtendedProperty, String)],
    ) -> Result<Vec<(ItemId, ItemClass)>, Error> {
        let answer = self
            .call("FindItem", Repeat::Freely, |w| {
                w.open(&m("FindItem")).attribute("Traversal", "Shallow");
                w.open(&m("ItemShape")).leaf(&t("BaseShape"), "IdOnly").close();
                w.open(&m("Restriction"));
                let are_several = wanted.len() > 1;
                if are_several {
                    w.open(&t("Or"));
                }
                for (property, value) in wanted {
                    w.open(&t("IsEqualTo")).element(&extended_uri(property));
                    w.open(&t("FieldURIOrConstant")).open(&t("Constant")).attribute("Value", value);
                    w.close().close().close();
                }
                if are_several {
                    w.close();
                }
                w.close().open(&m("ParentFolderIds"));
                folder_id(w, &FolderSelector::Id(folder.to_owned()));
            })
            .await?;
        let message = check(messages(&answer).next().ok_or_else(|| missing("response message"))?)?;
        let items = message.find("RootFolder").and_then(|root| root.find("Items"));
        let items = items.ok_or_else(|| missing("RootFolder"))?.children();
        Ok(items
            .filter_map(|item| {
                let class = class_of(item.name().local())?;
                Some((item_id(item.find("ItemId")?)?, class))
            })
            .collect())
    }
}
