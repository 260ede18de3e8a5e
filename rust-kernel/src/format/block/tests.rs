use super::*;

/// All fields of a format, with their names.
fn fields(format: &BlockFormat) -> Vec<(&'static str, Field)> {
    let mut fields = vec![("scale", format.scale.field)];
    match format.quants {
        Quants::Codes { field, .. } => fields.push(("code", field)),
        Quants::Grid { index, signs, .. } => {
            fields.push(("grid point", index));
            fields.extend(signs.map(|signs| ("signs", signs)));
        }
    }
    fields.extend(format.sub_scales.map(|s| ("sub-scale", s.field)));
    if let Some(minimum) = format.minimum {
        fields.push(("minimum scale", minimum.scale.field));
        fields.extend(minimum.field.map(|field| ("minimum", field)));
    }
    fields.extend(format.shift.map(|shift| ("shift", shift.field)));
    fields
}

/// Pseudo-random bytes.
fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[test]
fn every_bit_of_a_block_belongs_to_one_field() {
    for format in BLOCK_FORMATS {
        let mut owners = vec![Vec::new(); 8 * format.bytes];
        for (name, field) in fields(format) {
            for n in 0..field.count() {
                for bit in field.bits(n) {
                    owners[bit].push((name, n));
                }
            }
        }
        for (bit, owners) in owners.iter().enumerate() {
            assert_eq!(owners.len(), 1, "{} bit {bit}: {owners:?}", format.name);
        }
    }
}

#[test]
fn fields_cover_the_weights_of_a_block() {
    for format in BLOCK_FORMATS {
        let weights = |field: Field, run| assert_eq!(field.count() * run, format.weights);
        weights(format.scale.field, format.scale.run);
        assert_eq!(format.scale.field.width(), format.scale.encoding.width());
        match format.quants {
            Quants::Codes { field, .. } => weights(field, 1),
            Quants::Grid { index, grid, signs } => {
                weights(index, grid.weights());
                if let Some(signs) = signs {
                    weights(signs, SIGNED_RUN);
                }
            }
        }
        if let Some(sub_scales) = format.sub_scales {
            weights(sub_scales.field, sub_scales.run);
        }
        if let Some(Minimum {
            field: Some(field),
            run,
            ..
        }) = format.minimum
        {
            weights(field, run);
        }
        if let Some(shift) = format.shift {
            weights(shift.field, shift.run);
        }
    }
}

#[test]
fn sizes_are_those_of_the_tensor_types() {
    for format in BLOCK_FORMATS {
        let block = format.ggml_type.block().unwrap();
        let name = format.ggml_type.name().unwrap();
        assert_eq!((format.weights, format.bytes), (block.weights, block.bytes));
        assert_eq!(format.name, name);
        assert_eq!(BlockFormat::of(format.ggml_type), Some(format));
    }
    assert_eq!(BlockFormat::of(GgmlType::F32), None);
}

#[test]
fn numbers_survive_writing_and_reading() {
    for format in BLOCK_FORMATS {
        for (name, field) in fields(format) {
            let mut block = noise(format.bytes, 7);
            let number = |n: usize| (n as u32).wrapping_mul(2_654_435_761) >> (32 - field.width());
            (0..field.count()).for_each(|n| field.write(&mut block, n, number(n)));
            for n in 0..field.count() {
                assert_eq!(
                    field.read(&block, n),
                    number(n),
                    "{} {name} {n}",
                    format.name
                );
            }
            if field.width() <= 8 {
                let mut all = vec![0; field.count()];
                field.read_all(&block, &mut all);
                let wanted = (0..field.count()).map(|n| number(n) as u8);
                assert!(all.into_iter().eq(wanted), "{} {name}", format.name);
            }
        }
    }
}

#[test]
fn weights_by_hand() {
    let values = |name: &str, block: &[u8]| {
        let format = BLOCK_FORMATS.iter().find(|f| f.name == name).unwrap();
        let mut out = [0.0; MAX_WEIGHTS];
        format.dequantize(block, &mut out);
        out
    };
    const ONE: [u8; 2] = 0x3c00u16.to_le_bytes();
    const HALF: [u8; 2] = 0x3800u16.to_le_bytes();

    // d = 1, dmin = 0.5, first sub-scale 3 and minimum 2, first byte with codes 5 (weight 0) and 9 (weight 32).
    let mut q4_k = [ONE, HALF].concat();
    q4_k.resize(144, 0);
    (q4_k[4], q4_k[8], q4_k[16]) = (3, 2, 0x95);
    let out = values("q4_K", &q4_k);
    assert_eq!((out[0], out[1], out[32]), (3.0 * 5.0 - 1.0, -1.0, 0.0));
    // The second sub-scale is 1, without a minimum.
    q4_k[5] = 1;
    assert_eq!(values("q4_K", &q4_k)[32], 9.0);

    // Point 1 of the grid is 43 in the first weight and 8 in all others; seven signs with the first two set; sub-scale
    // number 2 means 5; the unit is 1/8.
    let mut iq2_xxs = ONE.to_vec();
    iq2_xxs.resize(66, 0);
    (iq2_xxs[2], iq2_xxs[6], iq2_xxs[9]) = (1, 0b11, 2 << 4);
    let out = values("iq2_xxs", &iq2_xxs);
    assert_eq!(out[..3], [-43.0 * 5.0 / 8.0, -5.0, 5.0]);
    // One sign is an odd number, so the eighth weight has the other.
    iq2_xxs[6] = 0b1;
    assert_eq!(values("iq2_xxs", &iq2_xxs)[7], -5.0);

    // An exponent of 128 is the scale 1. Codes 7 and 15 are 12 and -12.
    let mut mxfp4 = vec![0; 17];
    (mxfp4[0], mxfp4[1]) = (128, 0xf7);
    assert_eq!(values("mxfp4", &mxfp4)[..17], {
        let mut wanted = [0.0; 17];
        (wanted[0], wanted[16]) = (12.0, -12.0);
        wanted
    });
}

#[test]
fn a_noisy_block_has_the_weights_of_its_numbers() {
    for format in BLOCK_FORMATS {
        let block = noise(format.bytes, 11);
        let mut quants = [0; MAX_WEIGHTS];
        format.quants(&block, &mut quants);
        let mut weights = [0.0; MAX_WEIGHTS];
        format.dequantize(&block, &mut weights);
        for i in 0..format.weights {
            let mut q = f64::from(quants[i]);
            if let Quants::Codes { field, meaning } = format.quants {
                assert_eq!(quants[i], meaning.quant(field.read(&block, i) as u8));
            }
            q += format.shift.map_or(0.0, |shift| {
                f64::from(shift.get(&block, i / shift.run)) / 8.0
            });
            let s = format
                .sub_scales
                .map_or(1.0, |s| f64::from(s.get(&block, i / s.run)));
            let mut wanted = f64::from(format.scale.get(&block, i) * format.unit) * s * q;
            if let Some(minimum) = format.minimum {
                let term = f64::from(minimum.scale.get(&block, i))
                    * f64::from(minimum.get(&block, i / minimum.run));
                wanted += if minimum.added { term } else { -term };
            }
            assert_eq!(weights[i], wanted as f32, "{} weight {i}", format.name);
        }
    }
}
