//! A checked recipe: the tensors of the model in file order.

use qk256::format::{ScaleRule, Storage};
use qk256::gguf::{Builder, DEFAULT_ALIGNMENT, GgmlType, WriteError};

use super::distribution::Codes;
use super::error::SynthError;
use super::metadata;
use super::recipe::{Bell, Dense, DenseType, Matrix, Recipe, ScaleRange, ScaleSharing, Ternary};
use super::validate;

/// A recipe that passed all checks, and its tensors.
#[derive(Debug, Clone)]
pub struct Plan {
    recipe: Recipe,
    tensors: Vec<PlannedTensor>,
    file_bytes: u64,
}

/// A tensor to generate.
#[derive(Debug, Clone)]
pub struct PlannedTensor {
    /// Name in the file.
    pub name: String,
    /// Dimensions in the order of the file: columns, then the rows of a matrix.
    pub dims: Vec<usize>,
    /// Type and distribution of the elements.
    pub content: Content,
}

/// Type and distribution of the elements of a tensor.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    /// Numbers from a bell curve.
    Dense {
        /// Element type.
        element: DenseType,
        /// Distribution of the elements.
        bell: Bell,
    },
    /// Ternary weights.
    Ternary(TernaryContent),
    /// A few f32 scales: those of a companion tensor, or the divisors of rotary angles.
    Scale(ScaleRange),
}

impl Content {
    fn of(Dense { element, spread }: Dense) -> Content {
        Content::Dense {
            element,
            bell: Bell { mean: 0.0, spread },
        }
    }
}

/// Storage and distribution of ternary weights.
#[derive(Debug, Clone, Copy)]
pub struct TernaryContent {
    pub(super) storage: Storage,
    pub(super) codes: Codes,
    pub(super) scale: ScaleRange,
    /// Whether each block has its own scale.
    pub(super) scale_per_block: bool,
}

impl TernaryContent {
    /// Storage of the weights.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }
}

impl Plan {
    /// Checks a recipe and plans its tensors.
    ///
    /// # Errors
    ///
    /// [`SynthError::Invalid`] with the field and the reason: sizes out of bounds, heads that do not divide the width,
    /// an unknown format or one that cannot hold the columns, impossible distributions, or tensors that the
    /// architecture does not have.
    pub fn new(recipe: Recipe) -> Result<Plan, SynthError> {
        validate::recipe(&recipe)?;
        let tensors = tensors(&recipe)?;
        let mut plan = Plan {
            recipe,
            tensors,
            file_bytes: 0,
        };
        plan.file_bytes = plan
            .count_file_bytes()
            .map_err(|source| SynthError::Container {
                what: plan.recipe.origin.clone(),
                source,
            })?;
        Ok(plan)
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// All tensors in file order.
    pub fn tensors(&self) -> &[PlannedTensor] {
        &self.tensors
    }

    /// Exact size of the file in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// A builder with the file's metadata and tensors.
    pub(super) fn builder(&self) -> Result<Builder, WriteError> {
        let mut builder = Builder::default();
        metadata::declare(&self.recipe, &mut builder)?;
        for tensor in &self.tensors {
            builder.tensor(
                &tensor.name,
                &tensor.dims,
                tensor.ggml_type(),
                tensor.bytes(),
            )?;
        }
        Ok(builder)
    }

    fn count_file_bytes(&self) -> Result<u64, WriteError> {
        let mut head = Vec::new();
        // Only the part before the data is written here.
        let _unfinished = self.builder()?.start(&mut head)?;
        let alignment = DEFAULT_ALIGNMENT as u64;
        let padded = |tensor: &PlannedTensor| tensor.bytes().checked_next_multiple_of(alignment);
        self.tensors
            .iter()
            .try_fold(head.len() as u64, |sum, tensor| {
                sum.checked_add(padded(tensor)?)
            })
            .ok_or(WriteError::TooLarge)
    }
}

impl PlannedTensor {
    /// Number of elements in a row.
    pub fn cols(&self) -> usize {
        self.dims[0]
    }

    /// Number of rows; 1 for a vector.
    pub fn rows(&self) -> usize {
        self.dims[1..].iter().product()
    }

    /// Whether it is a matrix of a layer, not a norm or an embedding.
    pub fn is_matrix_of_layer(&self) -> bool {
        self.name.starts_with("blk.") && self.dims.len() > 1
    }

    /// Type id in the file.
    pub fn ggml_type(&self) -> GgmlType {
        match self.content {
            Content::Dense { element, .. } => element.ggml_type(),
            Content::Ternary(ternary) => ternary.storage.format().ggml_type,
            Content::Scale(_) => GgmlType::F32,
        }
    }

    /// Exact size in bytes without padding.
    pub fn bytes(&self) -> u64 {
        let dense = |element: DenseType| {
            let block = element.block();
            self.rows() as u64 * (self.cols() / block.weights * block.bytes) as u64
        };
        match self.content {
            Content::Dense { element, .. } => dense(element),
            Content::Ternary(ternary) => ternary.storage.bytes() as u64,
            Content::Scale(_) => dense(DenseType::F32),
        }
    }
}

/// Names, shapes and order are those of files written by bitnet.cpp's converter.
fn tensors(recipe: &Recipe) -> Result<Vec<PlannedTensor>, SynthError> {
    let width = recipe.sizes.embedding as usize;
    let inner = recipe.sizes.feed_forward as usize;
    let vocabulary = recipe.sizes.vocabulary as usize;
    let embedding_like = |name: &str, dense: Dense| PlannedTensor {
        name: name.to_owned(),
        dims: vec![width, vocabulary],
        content: Content::of(dense),
    };
    let norm = |name: String, cols| {
        let content = Content::Dense {
            element: DenseType::F32,
            bell: recipe.norms,
        };
        PlannedTensor {
            name,
            dims: vec![cols],
            content,
        }
    };
    let matrices = Matrix::ALL
        .into_iter()
        .map(|matrix| Ok((matrix, of_layers(recipe, matrix)?)))
        .collect::<Result<Vec<_>, SynthError>>()?;
    let scale_tensors = recipe.weights.as_ref();
    let scale_tensors = scale_tensors.and_then(|weights| weights.scale_tensors);

    let mut tensors = vec![
        embedding_like("token_embd.weight", recipe.embedding),
        norm("output_norm.weight".to_owned(), width),
    ];
    tensors.extend(
        recipe
            .output
            .map(|output| embedding_like("output.weight", output)),
    );
    tensors.extend(recipe.rope_factors.map(|range| PlannedTensor {
        name: "rope_freqs.weight".to_owned(),
        dims: vec![recipe.sizes.head() as usize / 2],
        content: Content::Scale(range),
    }));
    for layer in 0..recipe.sizes.layers {
        let named = |part: &str| format!("blk.{layer}.{part}");
        tensors.push(norm(named("attn_norm.weight"), width));
        if recipe.architecture.is_bitnet() {
            tensors.push(norm(named("attn_sub_norm.weight"), width));
            tensors.push(norm(named("ffn_sub_norm.weight"), inner));
        }
        tensors.push(norm(named("ffn_norm.weight"), width));
        for &(matrix, content) in &matrices {
            let (rows, cols) = matrix.shape(&recipe.sizes);
            tensors.push(PlannedTensor {
                name: named(&format!("{}.weight", matrix.name())),
                dims: vec![cols, rows],
                content,
            });
            tensors.extend(scale_tensors.map(|range| PlannedTensor {
                name: named(&format!("{}.scale", matrix.name())),
                dims: vec![1],
                content: Content::Scale(range),
            }));
        }
    }
    Ok(tensors)
}

/// Type and distribution of one kind of matrix of the layers.
fn of_layers(recipe: &Recipe, matrix: Matrix) -> Result<Content, SynthError> {
    match (recipe.ternary(matrix), recipe.dense) {
        (Some(made_of), _) => Ok(Content::Ternary(ternary(recipe, matrix, &made_of)?)),
        (None, Some(dense)) => Ok(Content::of(dense)),
        (None, None) => unreachable!("the recipe was checked"),
    }
}

fn ternary(
    recipe: &Recipe,
    matrix: Matrix,
    made_of: &Ternary,
) -> Result<TernaryContent, SynthError> {
    let validate::CheckedTernary { storage, codes } = validate::ternary(recipe, matrix, made_of)?;
    let has_blocks = matches!(storage.format().scale, ScaleRule::Block { .. });
    Ok(TernaryContent {
        storage,
        codes,
        scale: made_of.scale,
        scale_per_block: has_blocks && made_of.scale_sharing == ScaleSharing::Block,
    })
}
