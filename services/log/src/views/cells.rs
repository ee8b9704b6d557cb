//! From the columns of a view to the cells of its table, and back.

use std::fmt::Display;

use duban_domain::Position;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::{Impossible, SerializeStruct, Serializer};

use super::row::{Cell, Column, Kind, Poison};
use crate::error::ReadError;
use crate::log::Log;

/// How a closed row gets back what it let go of: from the log, for a key, as it was after the event at a position.
pub type Recall = fn(Log, String, Position) -> BoxFuture<'static, Result<Cell, ReadError>>;

/// What a row's own columns hold: any flat struct of what serialises to text, integers, options of them, or (in a
/// [`Column::json`]) anything.
pub trait Cells: Sized {
    /// The cells, in the order of the columns; a state's is NULL.
    fn cells(&self, columns: &[Column]) -> Result<Vec<Cell>, Poison>;

    /// The state that goes into the last column, where there is one; the same for all open rows of a key.
    fn state(&self) -> Result<Option<Cell>, Poison> {
        Ok(None)
    }

    /// The values that were written to these cells.
    fn values(columns: &[Column], cells: &[Cell]) -> Result<Self, serde_json::Error>;
}

impl<T: Serialize + DeserializeOwned> Cells for T {
    fn cells(&self, columns: &[Column]) -> Result<Vec<Cell>, Poison> {
        cells_of(columns, self)
    }

    fn values(columns: &[Column], cells: &[Cell]) -> Result<Self, serde_json::Error> {
        values_of(columns, cells)
    }
}

/// The cells of a flat struct.
pub(super) fn cells_of(columns: &[Column], values: &impl Serialize) -> Result<Vec<Cell>, Poison> {
    let mut cells = vec![Cell::Null; columns.len()];
    values.serialize(Into { columns, cells: &mut cells }).map_err(|Fault(what)| poison(&what))?;
    Ok(cells)
}

/// JSON as it is stored.
pub(super) fn json_of(value: &impl Serialize) -> Result<String, Poison> {
    serde_json::to_string(value).map_err(|error| poison(&error))
}

/// The values of a flat struct, from its cells.
pub(super) fn values_of<C: DeserializeOwned>(
    columns: &[Column],
    cells: &[Cell],
) -> Result<C, serde_json::Error> {
    let mut json = String::from("{");
    for (column, cell) in columns.iter().zip(cells) {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&serde_json::to_string(column.name)?);
        json.push(':');
        match (column.kind, cell) {
            (_, Cell::Null) => json.push_str("null"),
            (_, Cell::Integer(number)) => json.push_str(&number.to_string()),
            (Kind::Json, Cell::Text(text)) => json.push_str(text),
            (Kind::Text | Kind::Integer, Cell::Text(text)) => json.push_str(&serde_json::to_string(text)?),
        }
    }
    json.push('}');
    serde_json::from_str(&json)
}

fn poison(what: &impl Display) -> Poison {
    Poison(format!("a row can't be written: {what}"))
}

/// Why a value is no cell.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Fault(String);

impl serde::ser::Error for Fault {
    fn custom<T: Display>(what: T) -> Self {
        Fault(what.to_string())
    }
}

/// Serialises a struct into a cell for each column, or, where there are no columns, one value into one cell.
struct Into<'a> {
    columns: &'a [Column],
    cells: &'a mut [Cell],
}

impl Into<'_> {
    fn put(self, cell: Cell) -> Result<(), Fault> {
        match self.cells {
            [one] if self.columns.is_empty() => {
                *one = cell;
                Ok(())
            }
            _ => Err(Fault("its columns are no struct".into())),
        }
    }

    fn integer<N: TryInto<i64> + Display + Copy>(self, number: N) -> Result<(), Fault> {
        let number = number.try_into().map_err(|_| Fault(format!("{number} is no BIGINT")))?;
        self.put(Cell::Integer(number))
    }
}

/// The fields of a struct.
struct Fields<'a> {
    into: Into<'a>,
    /// Where the next field most likely belongs: structs have their fields in the order of columns.
    next: usize,
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        let Into { columns, cells } = &mut self.into;
        let likely = columns.get(self.next).filter(|column| column.name == name).map(|_| self.next);
        let found = likely.or_else(|| columns.iter().position(|column| column.name == name));
        let index = found.ok_or_else(|| Fault(format!("{name} is no column")))?;
        self.next = index + 1;
        let (kind, cell) = (columns[index].kind, &mut cells[index]);
        if kind == Kind::Json {
            let json = serde_json::to_string(value).map_err(|error| Fault(error.to_string()))?;
            *cell = if json == "null" { Cell::Null } else { Cell::Text(json) };
            return Ok(());
        }
        value.serialize(Into { columns: &[], cells: std::slice::from_mut(cell) })?;
        match (kind, &*cell) {
            (_, Cell::Null) | (Kind::Text, Cell::Text(_)) | (Kind::Integer, Cell::Integer(_)) => Ok(()),
            (_, other) => Err(Fault(format!("{name} is {kind:?}, not {other:?}"))),
        }
    }

    fn end(self) -> Result<(), Fault> {
        Ok(())
    }
}

/// Methods of a serializer for what fits into no cell.
macro_rules! refuse {
    ($($method:ident($($argument:ty),*) -> $ok:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$ok, Fault> {
            Err(Fault(concat!(stringify!($method), ": this fits into no cell").to_owned()))
        })*
    };
}

/// Methods of a serializer for integers.
macro_rules! integers {
    ($($method:ident($number:ty);)*) => {
        $(fn $method(self, number: $number) -> Result<(), Fault> {
            self.integer(number)
        })*
    };
}

impl<'a> Serializer for Into<'a> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Impossible<(), Fault>;
    type SerializeTuple = Impossible<(), Fault>;
    type SerializeTupleStruct = Impossible<(), Fault>;
    type SerializeTupleVariant = Impossible<(), Fault>;
    type SerializeMap = Impossible<(), Fault>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Impossible<(), Fault>;

    integers! {
        serialize_i8(i8); serialize_i16(i16); serialize_i32(i32); serialize_i64(i64);
        serialize_u8(u8); serialize_u16(u16); serialize_u32(u32); serialize_u64(u64);
    }

    refuse! {
        serialize_bool(bool) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: &T,
    ) -> Result<(), Fault> {
        Err(Fault(format!("{variant} with a value fits into no cell")))
    }

    fn serialize_char(self, letter: char) -> Result<(), Fault> {
        self.put(Cell::Text(letter.to_string()))
    }

    fn serialize_str(self, text: &str) -> Result<(), Fault> {
        self.put(Cell::Text(text.to_owned()))
    }

    fn serialize_none(self) -> Result<(), Fault> {
        self.put(Cell::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Fault> {
        self.put(Cell::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        self.put(Cell::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Fault> {
        self.put(Cell::Text(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, Fault> {
        Ok(Fields { into: self, next: 0 })
    }
}
