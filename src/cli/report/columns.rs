//! Which columns of a network's report mean what, and how its cells are written: by options, or found by the names
//! that networks use.

use clap::Args;

use super::Fault;
use super::date::DateFormat;
use super::status::Statuses;
use crate::money::NumberFormat;

/// How a network's report is laid out. What is not stated is found.
#[derive(Clone, Debug, Args)]
pub struct Layout {
    /// The report's column with the order's id [default: the one called like `Order ID` or `Adv Unique 1`]
    #[arg(long, value_name = "COLUMN")]
    pub order_column: Option<String>,
    /// Its column with the order's amount [default: the one called like `Sale Amount`, if there is one]
    #[arg(long, value_name = "COLUMN")]
    pub amount_column: Option<String>,
    /// Its column with the amount's currency [default: the one called like `Currency`, or else the network's currency]
    #[arg(long, value_name = "COLUMN")]
    pub currency_column: Option<String>,
    /// Its column with the affiliate's id [default: the one called like `Affiliate ID`, if there is one]
    #[arg(long, value_name = "COLUMN")]
    pub affiliate_column: Option<String>,
    /// The parameter of the network's link that carries the affiliate's id
    #[arg(long, value_name = "NAME", default_value = "affiliate_id")]
    pub affiliate_value: String,
    /// Its column with what the network made of the conversion [default: the one called like `Status`, if there is one]
    #[arg(long, value_name = "COLUMN")]
    pub status_column: Option<String>,
    /// Its column with the time [default: the one called like `Date / Time`, if there is one]
    #[arg(long, value_name = "COLUMN")]
    pub date_column: Option<String>,
    /// What the statuses mean.
    #[command(flatten)]
    pub statuses: Statuses,
    /// How its amounts are written
    #[arg(long, value_name = "EXAMPLE", default_value = "1,234.56")]
    pub number_format: NumberFormat,
    /// How its dates are written, like 12/31/2026, 31/12/2026 or 31.12.2026
    #[arg(long, value_name = "EXAMPLE", default_value = "2026-12-31")]
    pub date_format: DateFormat,
    /// What stands between its columns [default: what the first line shows: , ; a tab or |]
    #[arg(long, value_name = "CHARACTER")]
    pub delimiter: Option<char>,
}

/// Where in a row what stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) order: usize,
    pub(super) amount: Option<usize>,
    pub(super) currency: Option<usize>,
    pub(super) affiliate: Option<usize>,
    pub(super) status: Option<usize>,
    pub(super) date: Option<usize>,
}

/// What a column may be, the names that networks have for it, and the option that names it.
struct Kind {
    what: &'static str,
    option: &'static str,
    names: &'static [&'static str],
}

/// Names as [`letters`] leaves them. Payout and revenue are the network's money, and not among them.
const ORDER: Kind = Kind {
    what: "the order's id",
    option: "--order-column",
    names: &[
        "orderid",
        "order",
        "ordernumber",
        "orderno",
        "orderref",
        "orderreference",
        "oid",
        "advunique1",
        "advertiserunique1",
        "conversionuniqueid",
        "uniqueid",
        "externalid",
    ],
};
const AMOUNT: Kind = Kind {
    what: "the order's amount",
    option: "--amount-column",
    names: &[
        "amount",
        "saleamount",
        "orderamount",
        "ordervalue",
        "salevalue",
        "subtotal",
        "ordersubtotal",
        "conversionamount",
        "transactionamount",
    ],
};
const CURRENCY: Kind = Kind {
    what: "the amount's currency",
    option: "--currency-column",
    names: &["currency", "currencycode", "salecurrency", "ordercurrency"],
};
const AFFILIATE: Kind = Kind {
    what: "the affiliate's id",
    option: "--affiliate-column",
    names: &["affiliateid", "affid", "partnerid", "publisherid"],
};
const STATUS: Kind = Kind {
    what: "the conversion's status",
    option: "--status-column",
    names: &[
        "status",
        "conversionstatus",
        "approvalstatus",
        "transactionstatus",
    ],
};
const DATE: Kind = Kind {
    what: "the time",
    option: "--date-column",
    names: &[
        "datetime",
        "date",
        "time",
        "conversiondate",
        "conversiontime",
        "conversiondatetime",
        "transactiondate",
        "eventdate",
        "created",
        "createdat",
        "timestamp",
    ],
};

impl Layout {
    /// What stands between two columns, as the byte that it must be.
    ///
    /// # Errors
    /// It is none.
    pub fn delimiter(&self) -> Result<Option<u8>, Fault> {
        let byte = |wide: char| u8::try_from(wide).map_err(|_wide| Fault::Delimiter(wide));
        self.delimiter.map(byte).transpose()
    }

    /// Where in a row with this head what stands.
    pub(super) fn places(&self, head: &[String]) -> Result<Places, Fault> {
        let order = ORDER.find(self.order_column.as_deref(), head)?;
        let order = order.ok_or_else(|| Fault::NoColumn {
            what: ORDER.what,
            option: ORDER.option,
            found: head.join(", "),
        })?;
        let date = match DATE.find(self.date_column.as_deref(), head) {
            // Of no importance where the period is stated: nobody is asked which it is.
            Err(Fault::Several { .. }) => None,
            found => found?,
        };
        Ok(Places {
            order,
            amount: AMOUNT.find(self.amount_column.as_deref(), head)?,
            currency: CURRENCY.find(self.currency_column.as_deref(), head)?,
            affiliate: AFFILIATE.find(self.affiliate_column.as_deref(), head)?,
            status: STATUS.find(self.status_column.as_deref(), head)?,
            date,
        })
    }
}

impl Kind {
    /// The column that is named, or called like this.
    fn find(&self, named: Option<&str>, head: &[String]) -> Result<Option<usize>, Fault> {
        let columns = |meant: &dyn Fn(&str) -> bool| -> Vec<usize> {
            let columns = head.iter().enumerate();
            let columns = columns.filter(|(_, name)| meant(name));
            columns.map(|(at, _)| at).collect()
        };
        let found = match named {
            None => columns(&|name| self.names.contains(&letters(name).as_str())),
            Some(wanted) => {
                let exact = columns(&|name| name == wanted.trim());
                match exact.as_slice() {
                    [] => columns(&|name| letters(name) == letters(wanted)),
                    _ => exact,
                }
            }
        };
        match (found.as_slice(), named) {
            ([one], _) => Ok(Some(*one)),
            ([], None) => Ok(None),
            ([], Some(wanted)) => Err(Fault::Column {
                wanted: wanted.to_owned(),
                found: head.join(", "),
                option: self.option,
            }),
            (several, _) => Err(Fault::Several {
                what: self.what,
                names: several
                    .iter()
                    .filter_map(|at| head.get(*at).cloned())
                    .collect::<Vec<_>>()
                    .join(", "),
                option: self.option,
            }),
        }
    }
}

/// A column's name without what networks write around it: `Stat.sale_amount@USD`, `Sale Amount`, `saleAmount` are
/// one (TUNE's interface names fields by their table, and amounts by their currency).
fn letters(name: &str) -> String {
    let name = name.rsplit('.').next().unwrap_or(name);
    let name = name.split('@').next().unwrap_or(name);
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}
