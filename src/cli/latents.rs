//! Latents from a file in place of seeds: `FILE.safetensors:NAME`.

use std::{
    io::Read,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{ranges::NumberList, raw::RawTensor};
use crate::{
    base::regular_file::open_regular,
    checkpoint::read_safetensors,
    model::{config::GeneratorConfig, state_dict::HostTensor},
};
use anyhow::{Context, anyhow, bail, ensure};

/// Larger files hold more than latents: two million of them in W.
const MAX_FILE: u64 = 4 << 30;

/// A tensor in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSource {
    /// The safetensors file.
    pub path: PathBuf,
    /// The tensor's name.
    pub name: String,
}

impl FromStr for TensorSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once(':') {
            // A colon in second place is a Windows drive.
            Some((path, name)) if !path.is_empty() && !name.is_empty() && !name.contains(['/', '\\']) => {
                Ok(Self { path: PathBuf::from(path), name: name.to_owned() })
            }
            _ => Err("it must be FILE.safetensors:NAME, where NAME is a tensor of the file".to_owned()),
        }
    }
}

/// Latents as rows of `row_len` values.
#[derive(Debug, Clone, PartialEq)]
pub struct Latents {
    row_len: usize,
    values: Vec<f32>,
}

impl Latents {
    /// Reads `source`, which must be `[N, row_shape..]` of floating-point numbers.
    ///
    /// # Errors
    /// A chain that names the file, the tensor, and what does not fit.
    pub fn read(source: &TensorSource, row_shape: &[usize]) -> anyhow::Result<Self> {
        Self::from_file(source, row_shape)
            .with_context(|| format!("cannot read latents from {}", source.path.display()))
    }

    fn from_file(source: &TensorSource, row_shape: &[usize]) -> anyhow::Result<Self> {
        let (mut tensors, _) = read_safetensors(&read_bounded(&source.path)?)?;
        let name = &source.name;
        let HostTensor { shape, data } = tensors.0.remove(name).ok_or_else(|| {
            let names: Vec<_> = tensors.0.keys().map(String::as_str).collect();
            anyhow!("there is no tensor `{name}` in it, only {}", names.join(", "))
        })?;
        let fits = shape.split_first().is_some_and(|(rows, row)| *rows > 0 && row == row_shape);
        let wanted = row_shape.iter().map(|d| format!(", {d}")).collect::<String>();
        ensure!(fits, "the tensor `{name}` has shape {shape:?}, but this model takes [N{wanted}]");
        if let Some((at, value)) = data.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            bail!("the tensor `{name}` has a value that is not finite, {value} at place {at}");
        }
        Ok(Self { row_len: row_shape.iter().product(), values: data })
    }

    /// Number of latents.
    pub fn len(&self) -> usize {
        self.values.len() / self.row_len.max(1)
    }

    /// Always false: a file without latents is an error.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The latents one by one.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.row_len.max(1))
    }
}

/// The latents of a run, whatever they come from.
#[derive(Debug, Clone, PartialEq)]
pub enum LatentSource {
    /// `z` of numpy's `RandomState(seed)`.
    Seeds(NumberList),
    /// [N, z_dim].
    Z(Latents),
    /// [N, w_dim].
    W(Latents),
    /// [N, num_ws, w_dim].
    Ws(Latents),
}

/// One latent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Latent<'a> {
    /// Stands for the `z` drawn from it.
    Seed(u32),
    /// [z_dim].
    Z(&'a [f32]),
    /// [w_dim].
    W(&'a [f32]),
    /// [num_ws * w_dim].
    Ws(&'a [f32]),
}

/// An image to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Item<'a> {
    /// The stem of its file's name: `seed0085`, or `latent0002` for a row of a file.
    pub name: String,
    /// Seeds its noise, where that is random.
    pub noise_seed: u32,
    /// What it comes from.
    pub latent: Latent<'a>,
}

impl Item<'_> {
    /// The seed, where it comes from one.
    pub fn seed(&self) -> Option<u32> {
        if let Latent::Seed(seed) = self.latent { Some(seed) } else { None }
    }
}

impl LatentSource {
    /// Number of images.
    pub fn len(&self) -> u64 {
        match self {
            Self::Seeds(seeds) => seeds.len(),
            Self::Z(latents) | Self::W(latents) | Self::Ws(latents) => latents.len() as u64,
        }
    }

    /// Always false: both lists and files name at least one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The images in order.
    pub fn items<'a>(&'a self) -> Box<dyn Iterator<Item = Item<'a>> + 'a> {
        let rows = |latents: &'a Latents, wrap: fn(&'a [f32]) -> Latent<'a>| {
            latents.rows().enumerate().map(move |(row, values)| Item {
                name: format!("latent{row:04}"),
                noise_seed: row as u32,
                latent: wrap(values),
            })
        };
        match self {
            Self::Seeds(seeds) => Box::new(seeds.iter().map(|seed| Item {
                name: format!("seed{seed:04}"),
                noise_seed: seed,
                latent: Latent::Seed(seed),
            })),
            Self::Z(latents) => Box::new(rows(latents, Latent::Z)),
            Self::W(latents) => Box::new(rows(latents, Latent::W)),
            Self::Ws(latents) => Box::new(rows(latents, Latent::Ws)),
        }
    }

    /// What can be written of each image with `--raw`: the steps from its latent on.
    pub fn raw_tensors(&self, config: &GeneratorConfig) -> Vec<RawTensor> {
        let (w_dim, side) = (config.w_dim(), config.resolution());
        let all = [
            RawTensor { name: "z", row_shape: vec![config.z_dim()] },
            RawTensor { name: "w", row_shape: vec![w_dim] },
            RawTensor { name: "ws", row_shape: vec![config.num_ws(), w_dim] },
            RawTensor { name: "image", row_shape: vec![config.img_channels(), side, side] },
        ];
        let unknown = match self {
            Self::Seeds(_) | Self::Z(_) => 0,
            Self::W(_) => 1,
            Self::Ws(_) => 2,
        };
        all.into_iter().skip(unknown).collect()
    }
}

fn read_bounded(path: &Path) -> anyhow::Result<Vec<u8>> {
    let (file, length) = open_regular(path)?.context("it is no regular file")?;
    ensure!(length <= MAX_FILE, "it has {length} bytes, more than the {MAX_FILE} that are read");
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::raw::RawFile;

    fn source(text: &str) -> TensorSource {
        text.parse().unwrap()
    }

    #[test]
    fn sources_are_a_file_and_a_name() {
        assert_eq!(source("a/b.safetensors:w"), TensorSource { path: "a/b.safetensors".into(), name: "w".to_owned() });
        assert_eq!(source("C:\\a.safetensors:w").path, Path::new("C:\\a.safetensors"));
        for text in ["", "a.safetensors", ":w", "a.safetensors:", "C:\\a.safetensors", "a:b/c"] {
            assert!(text.parse::<TensorSource>().is_err(), "{text}");
        }
    }

    #[test]
    fn rows_come_back_and_misfits_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let tensors = [
            RawTensor { name: "w", row_shape: vec![2] },
            RawTensor { name: "bad", row_shape: vec![2] },
            RawTensor { name: "ws", row_shape: vec![3, 2] },
        ];
        let mut raw = RawFile::create(&path, 2, &tensors).unwrap();
        for row in [1.0f32, 2.0] {
            raw.push("w", &[row, -row]).unwrap();
            raw.push("bad", &[row, f32::NAN]).unwrap();
            raw.push("ws", &[row; 6]).unwrap();
        }
        raw.finish().unwrap();

        let from = |name: &str| TensorSource { path: path.clone(), name: name.to_owned() };
        let latents = Latents::read(&from("w"), &[2]).unwrap();
        assert_eq!((latents.len(), latents.rows().collect::<Vec<_>>()), (2, vec![&[1.0, -1.0][..], &[2.0, -2.0]]));
        assert_eq!(Latents::read(&from("ws"), &[3, 2]).unwrap().rows().nth(1), Some(&[2.0; 6][..]));

        let error = |name: &str, shape: &[usize]| format!("{:#}", Latents::read(&from(name), shape).unwrap_err());
        assert!(
            error("w", &[512]).contains("has shape [2, 2], but this model takes [N, 512]"),
            "{}",
            error("w", &[512])
        );
        assert!(error("ws", &[2]).contains("takes [N, 2]"));
        assert!(error("z", &[2]).contains("no tensor `z` in it, only bad, w, ws"));
        assert!(error("bad", &[2]).contains("not finite, NaN at place 1"));
        std::fs::write(&path, b"no tensors").unwrap();
        assert!(error("w", &[2]).contains("safetensors"));
        std::fs::remove_file(&path).unwrap();
        assert!(error("w", &[2]).starts_with(&format!("cannot read latents from {}: ", path.display())));
    }
}
