//! StyleGAN2's synthesis network (arXiv 1912.04958, figure 7) as an ONNX graph.

use super::{graph::Graph, layers, proto::Length};
use crate::model::{
    config::{Architecture, StyleGan2Config, resolutions},
    state_dict::{StateDict, StateDictError},
};

/// A 3x3 layer of a block.
struct Conv<'a> {
    name: &'a str,
    ws_index: usize,
    /// Side of its output in pixels.
    resolution: usize,
    in_channels: usize,
    out_channels: usize,
    up: bool,
    /// Factor on the activation and the clamp: sqrt(1/2) at the end of a residual block.
    gain: f32,
}

/// Adds the network to `g`; the output is the image `[N, C, H, W]`.
///
/// # Errors
/// A weight that is missing or misshapen.
pub fn synthesis<'a>(
    g: &mut Graph<'a>,
    config: &StyleGan2Config,
    weights: &'a StateDict,
    ws: &str,
) -> Result<String, StateDictError> {
    let constant = weights.get("synthesis.b4.const", &[config.channels.at(4), 4, 4])?;
    let learned = g.constant("synthesis.b4.const", &[1, config.channels.at(4), 4, 4], &constant.data);
    let ones = layers::ones_like_batch(g, ws);
    let mut x = g.mul(&learned, &ones);
    let mut image: Option<String> = None;
    let mut ws_index = 0;
    for r in resolutions(config.resolution) {
        let (inside, outside) = (config.channels.at(r / 2), config.channels.at(r));
        let residual = config.architecture == Architecture::Resnet && r > 4;
        let gain = if residual { 0.5f32.sqrt() } else { 1.0 };
        let block = format!("synthesis.b{r}");
        let shortcut = if residual {
            let weight = weights.get(&format!("{block}.skip.weight"), &[outside, inside, 1, 1])?;
            let y = layers::conv(g, &x, &format!("{block}.skip.weight"), weight, 1.0 / (inside as f32).sqrt(), 0);
            let y = layers::filter_up(g, &y, &format!("{block}.skip.filter"), &config.resample_filter, outside);
            Some(g.scale(&y, gain))
        } else {
            None
        };
        if r > 4 {
            let name = format!("{block}.conv0");
            let conv0 = Conv {
                name: &name,
                ws_index,
                resolution: r,
                in_channels: inside,
                out_channels: outside,
                up: true,
                gain: 1.0,
            };
            x = layer(g, config, weights, ws, &x, &conv0)?;
            ws_index += 1;
        }
        let name = format!("{block}.conv1");
        let conv1 =
            Conv { name: &name, ws_index, resolution: r, in_channels: outside, out_channels: outside, up: false, gain };
        x = layer(g, config, weights, ws, &x, &conv1)?;
        ws_index += 1;
        if let Some(shortcut) = shortcut {
            x = g.add(&shortcut, &x);
        }
        if let Some(previous) = image.take().filter(|_| config.architecture != Architecture::Msg) {
            let name = format!("{block}.image.filter");
            image = Some(layers::filter_up(g, &previous, &name, &config.resample_filter, config.img_channels));
        }
        if matches!(config.architecture, Architecture::Skip | Architecture::Msg) || r == config.resolution {
            // `to_rgb` shares its `w` with the next block's first convolution, so the index does not move on.
            let y = to_rgb(g, config, weights, ws, &x, (r, ws_index))?;
            image = Some(match image {
                Some(previous) => g.add(&previous, &y),
                None => y,
            });
        }
    }
    image.ok_or_else(|| StateDictError::Missing { name: "synthesis".to_owned() })
}

fn layer<'a>(
    g: &mut Graph<'a>,
    config: &StyleGan2Config,
    weights: &'a StateDict,
    ws: &str,
    x: &str,
    conv: &Conv<'_>,
) -> Result<String, StateDictError> {
    let &Conv { name, in_channels, out_channels, .. } = conv;
    let style = affine(g, config, weights, ws, name, (conv.ws_index, in_channels))?;
    let weight = weights.get(&format!("{name}.weight"), &[out_channels, in_channels, 3, 3])?;
    let by_channel = g.as_channels(&style);
    let x = g.mul(x, &by_channel);
    let x = if conv.up {
        let shape = [out_channels, in_channels, 3];
        let y = layers::conv_transpose(g, &x, &format!("{name}.weight"), &weight.data, shape, 0);
        // Stride 2 gives 2H + 1; the filter brings that back to 2H.
        let pad = (config.resample_filter.len() as i64 - 2) / 2;
        layers::filter(g, &y, &format!("{name}.filter"), &config.resample_filter, 4.0, out_channels, pad)
    } else {
        layers::conv(g, &x, &format!("{name}.weight"), weight, 1.0, 1)
    };
    let demodulation = demodulation(g, name, &style, &weight.data, [out_channels, in_channels]);
    let mut x = g.mul(&x, &demodulation);
    if config.use_noise {
        let r = conv.resolution;
        let noise = weights.get(&format!("{name}.noise_const"), &[r, r])?;
        let strength = weights.get(&format!("{name}.noise_strength"), &[])?;
        let input = g.input_with_default(
            &format!("noise.{}", name.trim_start_matches("synthesis.")),
            &[Length::Named("noise_batch"), Length::Fixed(1), Length::Fixed(r), Length::Fixed(r)],
            "noise map of this layer, one for all samples or one each; the model's own when not given",
            &[1, 1, r, r],
            &noise.data,
        );
        x = layers::add_noise(g, &x, &format!("{name}.noise_strength"), &input, &strength.data);
    }
    let bias = weights.get(&format!("{name}.bias"), &[out_channels])?;
    let x = layers::add_bias(g, &x, &format!("{name}.bias"), &bias.data);
    let x = layers::leaky_relu(g, &x);
    let x = g.scale(&x, std::f32::consts::SQRT_2 * conv.gain);
    Ok(layers::clamp(g, &x, config.conv_clamp.map(|c| c as f32 * conv.gain)))
}

/// `rsqrt(sum (W * s)^2 + 1e-8)` for each output channel, as `[N, O, 1, 1]`.
fn demodulation(g: &mut Graph<'_>, name: &str, style: &str, weight: &[f32], [out, inside]: [usize; 2]) -> String {
    // The sum over the taps of W^2, transposed to [I, O]: one small matrix product does the rest.
    let mut squares = vec![0.0f32; inside * out];
    for (i, taps) in weight.chunks_exact(9).enumerate() {
        if let Some(square) = squares.get_mut((i % inside) * out + i / inside) {
            *square = taps.iter().map(|v| v * v).sum();
        }
    }
    let squares = g.constant(&format!("{name}.weight_squares"), &[inside, out], squares);
    let style_squares = g.mul(style, style);
    let sum = g.node("MatMul", &[&style_squares, &squares], Vec::new());
    let epsilon = g.scalar(1e-8);
    let sum = g.add(&sum, &epsilon);
    let root = g.node("Sqrt", &[&sum], Vec::new());
    let inverse = g.node("Reciprocal", &[&root], Vec::new());
    g.as_channels(&inverse)
}

fn affine<'a>(
    g: &mut Graph<'a>,
    config: &StyleGan2Config,
    weights: &'a StateDict,
    ws: &str,
    name: &str,
    (ws_index, channels): (usize, usize),
) -> Result<String, StateDictError> {
    let weight = weights.get(&format!("{name}.affine.weight"), &[channels, config.w_dim])?;
    let bias = weights.get(&format!("{name}.affine.bias"), &[channels])?;
    let w = layers::pick_w(g, ws, ws_index);
    Ok(layers::dense(g, &w, &format!("{name}.affine"), weight, 1.0 / (config.w_dim as f32).sqrt(), &bias.data))
}

fn to_rgb<'a>(
    g: &mut Graph<'a>,
    config: &StyleGan2Config,
    weights: &'a StateDict,
    ws: &str,
    x: &str,
    (resolution, ws_index): (usize, usize),
) -> Result<String, StateDictError> {
    let name = format!("synthesis.b{resolution}.torgb");
    let channels = config.channels.at(resolution);
    let style = affine(g, config, weights, ws, &name, (ws_index, channels))?;
    let by_channel = g.as_channels(&style);
    let x = g.mul(x, &by_channel);
    let weight = weights.get(&format!("{name}.weight"), &[config.img_channels, channels, 1, 1])?;
    let y = layers::conv(g, &x, &format!("{name}.weight"), weight, 1.0 / (channels as f32).sqrt(), 0);
    let bias = weights.get(&format!("{name}.bias"), &[config.img_channels])?;
    let y = layers::add_bias(g, &y, &format!("{name}.bias"), &bias.data);
    Ok(layers::clamp(g, &y, config.conv_clamp.map(|c| c as f32)))
}
