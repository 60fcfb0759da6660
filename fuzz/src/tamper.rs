//! What somebody on the way may do to one body.

use crate::input::Input;

/// Points of X25519 whose product with anything is zero, and one that is not reduced.
const POINTS: [[u8; 32]; 4] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [0xff; 32],
];

/// Changes a body by as many steps as the input says; `others` are bodies that went before.
pub(crate) fn tamper(input: &mut Input<'_>, body: &mut Vec<u8>, others: &[Vec<u8>]) {
    for _step in 0..input.choice(5) {
        step(input, body, others);
    }
}

fn step(input: &mut Input<'_>, body: &mut Vec<u8>, others: &[Vec<u8>]) {
    let deed = input.choice(9);
    let at = usize::from(input.number()) % (body.len() + 1);
    match deed {
        0 => {
            if let Some(byte) = body.get_mut(at) {
                *byte ^= 1 << input.choice(8);
            }
        }
        1 => {
            if let Some(byte) = body.get_mut(at) {
                *byte = input.byte();
            }
        }
        2 => body.truncate(at),
        3 => body.extend_from_slice(input.chunk()),
        4 => overwrite(body, at, input.chunk()),
        5 => {
            if !others.is_empty() {
                body.clone_from(&others[input.choice(others.len())]);
            }
        }
        6 => overwrite(body, at, &POINTS[input.choice(POINTS.len())]),
        7 => {
            let more = input.chunk().to_vec();
            body.splice(at..at, more);
        }
        _ => {
            let end = (at + usize::from(input.byte())).min(body.len());
            body.drain(at..end);
        }
    }
}

fn overwrite(body: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in body[at..].iter_mut().zip(bytes) {
        *place = *byte;
    }
}
