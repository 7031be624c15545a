//! A tensor's way to the texture, against the host's quantisation of the same values.

use burn::tensor::{Device, Tensor, TensorData};
use stylescope::gpu::{
    device::{DeviceChoice, DeviceError, select},
    health::{DeviceFault, DeviceHealth},
    pair::PairView,
    present::{PresentError, Presenter},
    quantize, readback,
};

/// Values that cover the nominal range and go beyond it on both sides, without a generator of random numbers.
fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 2_654_435_761 % 100_003) as f32 / 100_003.0 - 0.5) * 2.6).collect()
}

/// Software Vulkan, or nothing where the machine has none.
fn software() -> Option<stylescope::gpu::device::Compute> {
    match select(DeviceChoice::Software) {
        Ok(compute) => Some(compute),
        Err(DeviceError::NoSoftware) => {
            eprintln!("skipped: no software Vulkan driver on this machine");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Largest difference of two pictures in levels, and at how many bytes they differ.
fn difference(a: &[u8], b: &[u8]) -> (u8, usize) {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
    (differences.clone().max().unwrap_or(0), differences.filter(|&d| d > 0).count())
}

fn tensor(dims: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values(dims.iter().product()), dims), device)
}

#[test]
fn a_tensor_reaches_the_texture_with_any_channels_and_strides() {
    let Some(compute) = software() else { return };
    let shared = compute.shared.clone().unwrap();
    let health = DeviceHealth::watch(&shared.device);
    let mut presenter = Presenter::new(&shared.device, &shared.queue);
    for channels in [1, 3, 4] {
        // [1, C, 20, 13] as it comes, cut out of a larger one (offset and strides), and with its axes swapped.
        let base = tensor([2, channels + 1, 22, 15], &compute.device);
        let plain = tensor([1, channels, 20, 13], &compute.device);
        let cut = base.clone().slice([1..2, 1..channels + 1, 1..21, 2..15]);
        let swapped = base.slice([0..1, 0..channels, 0..22, 0..15]).swap_dims(2, 3);
        for (name, image) in [("plain", plain), ("cut", cut), ("swapped", swapped)] {
            let [_, _, height, width] = image.dims();
            let before = readback::thread_bytes();
            let shown = presenter.present(image.clone()).unwrap();
            assert_eq!(readback::thread_bytes(), before, "presenting reads nothing back");
            assert_eq!(shown.size, [width as u32, height as u32]);
            let texture = readback::texture_rgba8(&shared.device, &shared.queue, &shown.texture).unwrap();
            let host = quantize::rgba8(&readback::values(image).unwrap(), channels, height, width).unwrap();
            let (largest, count) = difference(&texture, &host);
            eprintln!("{name}, {channels} channels: {count} of {} bytes differ, by {largest} at most", host.len());
            assert!(largest <= 1, "{name}, {channels} channels: {largest} levels apart");
            assert!(count * 1000 <= host.len(), "{name}, {channels} channels: {count} bytes differ");
            assert!(readback::thread_bytes() > before, "reading back is counted");
        }
    }
    assert_eq!(health.take(), None);
}

#[test]
fn two_tensors_reach_one_texture_with_any_channels_and_strides() {
    let Some(compute) = software() else { return };
    let shared = compute.shared.clone().unwrap();
    let health = DeviceHealth::watch(&shared.device);
    let mut presenter = Presenter::new(&shared.device, &shared.queue);
    for channels in [1, 3, 4] {
        let base = tensor([2, channels + 1, 22, 15], &compute.device);
        let plain = tensor([1, channels, 20, 13], &compute.device);
        let cut = base.slice([1..2, 1..channels + 1, 1..21, 2..15]);
        let bytes =
            |image: &Tensor<4>| quantize::rgba8(&readback::values(image.clone()).unwrap(), channels, 20, 13).unwrap();
        let (a, b) = (bytes(&plain), bytes(&cut));
        for view in [PairView::SideBySide, PairView::Difference { gain: 1 }, PairView::Difference { gain: 8 }] {
            let before = readback::thread_bytes();
            let shown = presenter.present_pair(plain.clone(), cut.clone(), view).unwrap();
            assert_eq!(readback::thread_bytes(), before, "presenting reads nothing back");
            assert_eq!(shown.size, view.size([13, 20]));
            let texture = readback::texture_rgba8(&shared.device, &shared.queue, &shown.texture).unwrap();
            let expected = view.combine((&a, [13, 20]), (&b, [13, 20]));
            let (largest, count) = difference(&texture, &expected);
            // A level more or less in an image is `gain` levels in its difference; alpha counts too.
            let allowed = if let PairView::Difference { gain } = view { 4 * gain } else { 1 };
            assert!(largest <= allowed, "{view:?}, {channels} channels: {largest} levels apart");
            assert!(count * 500 <= expected.len(), "{view:?}, {channels} channels: {count} bytes differ");
            // The CPU backend's images go the host's way.
            let host = |image: &Tensor<4>| {
                Tensor::<4>::from_data(
                    TensorData::new(readback::values(image.clone()).unwrap(), image.dims()),
                    &Device::flex(),
                )
            };
            let shown = presenter.present_pair(host(&plain), host(&cut), view).unwrap();
            let texture = readback::texture_rgba8(&shared.device, &shared.queue, &shown.texture).unwrap();
            assert_eq!(texture, expected, "{view:?}, {channels} channels");
        }
    }
    let other = Tensor::<4>::zeros([1, 1, 8, 8], &Device::flex());
    let image = Tensor::<4>::zeros([1, 3, 8, 8], &Device::flex());
    let refused = presenter.present_pair(image, other, PairView::SideBySide);
    assert!(matches!(refused, Err(PresentError::Pair { .. })));
    assert_eq!(health.take(), None);
}

#[test]
fn two_tensors_of_different_sizes_are_seen_at_the_larger_one() {
    let Some(compute) = software() else { return };
    let shared = compute.shared.clone().unwrap();
    let health = DeviceHealth::watch(&shared.device);
    let mut presenter = Presenter::new(&shared.device, &shared.queue);
    for (a, b) in [([6, 8], [12, 16]), ([12, 16], [6, 8]), ([5, 16], [12, 7])] {
        let image = |[height, width]: [usize; 2]| tensor([1, 3, height, width], &compute.device);
        let bytes = |image: &Tensor<4>| {
            let [_, channels, height, width] = image.dims();
            let bytes = quantize::rgba8(&readback::values(image.clone()).unwrap(), channels, height, width).unwrap();
            (bytes, [width as u32, height as u32])
        };
        let images = [image(a), image(b)];
        let [of_a, of_b] = images.each_ref().map(bytes);
        for view in [PairView::SideBySide, PairView::Difference { gain: 1 }] {
            let [a, b] = images.clone();
            let shown = presenter.present_pair(a, b, view).unwrap();
            assert_eq!(shown.size, view.size([16, 12]));
            let texture = readback::texture_rgba8(&shared.device, &shared.queue, &shown.texture).unwrap();
            let expected = view.combine((&of_a.0, of_a.1), (&of_b.0, of_b.1));
            let (largest, count) = difference(&texture, &expected);
            // A level more or less in either image.
            assert!(largest <= 2 && count * 100 <= expected.len(), "{view:?}: {count} bytes differ, by {largest}");
            let [a, b] = images.each_ref().map(|image| {
                let values = TensorData::new(readback::values(image.clone()).unwrap(), image.dims());
                Tensor::<4>::from_data(values, &Device::flex())
            });
            let shown = presenter.present_pair(a, b, view).unwrap();
            let texture = readback::texture_rgba8(&shared.device, &shared.queue, &shown.texture).unwrap();
            assert_eq!(texture, expected, "{view:?}, from the host");
        }
    }
    assert_eq!(health.take(), None);
}

#[test]
fn every_level_is_stored_exactly() {
    let Some(compute) = software() else { return };
    let shared = compute.shared.clone().unwrap();
    let mut presenter = Presenter::new(&shared.device, &shared.queue);
    // The middle of every level's interval, where rounding of the arithmetic cannot reach the next.
    let levels: Vec<f32> = (0..256).map(|q| (q as f32 + 0.5 - 128.0) / 127.5).collect();
    let image: Tensor<4> = Tensor::from_data(TensorData::new(levels, [1, 1, 16, 16]), &compute.device);
    let shown = presenter.present(image).unwrap();
    let texture = readback::texture_rgba8(&shared.device, &shared.queue, &shown.texture).unwrap();
    let expected: Vec<u8> = (0..=255).flat_map(|q| [q, q, q, 255]).collect();
    assert_eq!(texture, expected);
}

#[test]
fn values_that_are_no_numbers_are_black() {
    let Some(compute) = software() else { return };
    let shared = compute.shared.clone().unwrap();
    let mut presenter = Presenter::new(&shared.device, &shared.queue);
    let odd = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN];
    let image: Tensor<4> = Tensor::from_data(TensorData::new(odd, [1, 1, 2, 2]), &compute.device);
    let shown = presenter.present(image).unwrap();
    let texture = readback::texture_rgba8(&shared.device, &shared.queue, &shown.texture).unwrap();
    let grey: Vec<u8> = texture.chunks_exact(4).map(|pixel| pixel[0]).collect();
    assert_eq!(grey, [0, 255, 0, 0]);
}

#[test]
fn the_cpu_backend_is_uploaded_exactly() {
    let Some(compute) = software() else { return };
    let shared = compute.shared.unwrap();
    let mut presenter = Presenter::new(&shared.device, &shared.queue);
    for channels in [1, 3, 4] {
        let host = values(channels * 9 * 7);
        let image: Tensor<4> = Tensor::from_data(TensorData::new(host.clone(), [1, channels, 9, 7]), &Device::flex());
        let shown = presenter.present(image).unwrap();
        let texture = readback::texture_rgba8(&shared.device, &shared.queue, &shown.texture).unwrap();
        assert_eq!(texture, quantize::rgba8(&host, channels, 9, 7).unwrap());
    }
}

#[test]
fn a_shown_texture_is_never_written() {
    let Some(compute) = software() else { return };
    let shared = compute.shared.unwrap();
    let mut presenter = Presenter::new(&shared.device, &shared.queue);
    let flat = |value: f32| Tensor::<4>::full([1, 3, 8, 8], value, &Device::flex());
    let shown = presenter.present(flat(1.0)).unwrap();
    #[allow(clippy::mutable_key_type, reason = "a texture is compared by its identity")]
    let mut seen = std::collections::HashSet::new();
    for _ in 0..10 {
        let next = presenter.present(flat(-1.0)).unwrap();
        assert_ne!(next.texture, shown.texture);
        seen.insert(next.texture.clone());
    }
    assert_eq!(seen.len(), 1, "textures that nobody holds are used again");
    let texture = readback::texture_rgba8(&shared.device, &shared.queue, &shown.texture).unwrap();
    assert!(texture.iter().all(|&byte| byte == 255));
}

#[test]
fn what_is_no_image_is_an_error() {
    let Some(compute) = software() else { return };
    let shared = compute.shared.unwrap();
    let mut presenter = Presenter::new(&shared.device, &shared.queue);
    for shape in [[2, 3, 4, 4], [1, 2, 4, 4], [1, 3, 4, 100_000]] {
        let image = Tensor::<4>::zeros(shape, &Device::flex());
        assert!(matches!(presenter.present(image), Err(PresentError::Shape { .. })), "{shape:?}");
    }
}

#[test]
fn a_refused_call_is_kept_instead_of_a_panic() {
    // A device of its own, because the handler is one for all who use a device.
    let Some(compute) = software() else { return };
    let shared = compute.shared.unwrap();
    let descriptor = wgpu::DeviceDescriptor { label: Some("test: health"), ..wgpu::DeviceDescriptor::default() };
    let (device, _queue) = pollster::block_on(shared.adapter.request_device(&descriptor)).unwrap();
    let health = DeviceHealth::watch(&device);
    assert_eq!(health.take(), None);
    let wrong = wgpu::BufferDescriptor {
        label: Some("test: usages that exclude each other"),
        size: 16,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::MAP_WRITE,
        mapped_at_creation: false,
    };
    let _buffer = device.create_buffer(&wrong);
    assert!(matches!(health.take(), Some(DeviceFault::Refused(_))));
    assert_eq!(health.take(), None, "a fault is told once");
}
