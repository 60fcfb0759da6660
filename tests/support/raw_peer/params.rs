//! The parameters of record 0 (spec: 5.1).

use super::wire::{sized, take_sized, take_varint, varint};

/// The parameters of one side; absent ones are not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawParams {
    /// Names in order of preference.
    pub protocols: Option<Vec<String>>,
    /// The largest message that this side receives.
    pub max_message: Option<u64>,
    /// Milliseconds; 0 is none.
    pub idle_timeout: Option<u64>,
    /// Any other entries, sent as they are; the parser collects the unknown ones here.
    pub others: Vec<(u64, Vec<u8>)>,
}

/// The entry that means nothing and must be there (spec: H-21).
pub fn never_assigned(hash: &[u8; 32]) -> (u64, Vec<u8>) {
    let first = hash[0];
    let value = vec![0xa5; usize::from(first / 32)];
    (0x40 + u64::from(first % 32), value)
}

/// One entry, whatever its value.
pub fn entry(id: u64, value: &[u8]) -> Vec<u8> {
    [varint(id), sized(value)].concat()
}

impl RawParams {
    /// The entries an honest side sends, the never-assigned one included.
    pub fn encode(&self, hash: &[u8; 32]) -> Vec<u8> {
        let (id, value) = never_assigned(hash);
        [self.encode_bare(), entry(id, &value)].concat()
    }

    /// The entries without the never-assigned one.
    pub fn encode_bare(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(names) = &self.protocols {
            let names: Vec<u8> = names.iter().flat_map(|n| sized(n.as_bytes())).collect();
            bytes.extend(entry(1, &names));
        }
        if let Some(max) = self.max_message {
            bytes.extend(entry(2, &varint(max)));
        }
        if let Some(milliseconds) = self.idle_timeout {
            bytes.extend(entry(3, &varint(milliseconds)));
        }
        for (id, value) in &self.others {
            bytes.extend(entry(*id, value));
        }
        bytes
    }

    /// Reads the entries; an error says which rule they break.
    pub fn parse(mut input: &[u8]) -> Result<Self, String> {
        let mut this = Self::default();
        let mut seen = Vec::new();
        while !input.is_empty() {
            let id = take_varint(&mut input)?;
            let mut value = take_sized(&mut input)?;
            if seen.contains(&id) {
                return Err(format!("parameter {id} twice"));
            }
            seen.push(id);
            match id {
                1 => this.protocols = Some(parse_names(value)?),
                2 => {
                    this.max_message =
                        Some(parse_number(&mut value, |n| (1..=1 << 62).contains(&n))?)
                }
                3 => {
                    let legal = |n| n == 0 || (1000..=1 << 32).contains(&n);
                    this.idle_timeout = Some(parse_number(&mut value, legal)?);
                }
                _ => this.others.push((id, value.to_vec())),
            }
        }
        Ok(this)
    }

    /// Whether the entry that must be there is there.
    pub fn has_never_assigned(&self, hash: &[u8; 32]) -> bool {
        let (id, value) = never_assigned(hash);
        let is_it = |other: &(u64, Vec<u8>)| other.0 == id && other.1.len() == value.len();
        self.others.iter().any(is_it)
    }
}

fn parse_number(value: &mut &[u8], legal: impl Fn(u64) -> bool) -> Result<u64, String> {
    let number = take_varint(value)?;
    if !value.is_empty() {
        return Err("bytes left over in a parameter".into());
    }
    if !legal(number) {
        return Err(format!("parameter value {number} out of range"));
    }
    Ok(number)
}

fn parse_names(mut value: &[u8]) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    while !value.is_empty() {
        let name = take_sized(&mut value)?;
        if !(1..=64).contains(&name.len()) {
            return Err(format!("protocol name of {} bytes", name.len()));
        }
        let name = std::str::from_utf8(name);
        names.push(name.map_err(|error| error.to_string())?.to_owned());
    }
    // No name at all is the absent parameter.
    if !(1..=16).contains(&names.len()) {
        return Err(format!("{} protocol names", names.len()));
    }
    Ok(names)
}
