import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeeff.pictures.preprocessing import of_family
from edgeeff.training.data.augmentation import OPERATIONS, augmented
from edgeeff.training.data.batches import Share, judging_batches, order, training_batches
from edgeeff.training.data.named import named_data_set
from edgeeff.training.data.reading import judged, kept_whole
from edgeeff.training.settings import Augmentation

HOW = of_family("lite", 16)
STRONG = Augmentation(operations=2, mixup=0.2)
STILL = Augmentation(crop=1.0, flip=False, colour=0.0)


@pytest.fixture(scope="module")
def digits():
    pictures = named_data_set("digits").train.taken(range(50))
    return kept_whole(pictures, HOW.resolution)


def one_epoch(pixels, change=STRONG, **options):
    given = {
        "mirrored": True,
        "classes": 10,
        "batch": 16,
        "seed": 3,
        "epochs": range(1, 2),
        **options,
    }
    pairs = list(training_batches(pixels, HOW, change, **given).as_numpy_iterator())
    return np.stack([images for images, _ in pairs]), np.stack([targets for _, targets in pairs])


@pytest.mark.slow
def test_an_epoch_made_again_is_the_same_to_the_bit(digits):
    for first, again in zip(one_epoch(digits), one_epoch(digits), strict=True):
        assert np.array_equal(first, again)


@pytest.mark.slow
@pytest.mark.parametrize("other", [{"epochs": range(2, 3)}, {"seed": 4}])
def test_another_epoch_or_seed_changes_pictures_otherwise(digits, other):
    assert not np.array_equal(one_epoch(digits)[0], one_epoch(digits, **other)[0])


@pytest.mark.slow
def test_epochs_follow_one_another(digits):
    both, _ = one_epoch(digits, epochs=range(1, 3))
    each = [one_epoch(digits, epochs=range(epoch, epoch + 1))[0] for epoch in (1, 2)]
    assert np.array_equal(both, np.concatenate(each))


@given(
    count=st.integers(1, 200), seed=st.integers(0, 2**40), epoch=st.integers(0, 99), data=st.data()
)
def test_no_picture_comes_twice_in_an_epoch(count, seed, epoch, data):
    batch = data.draw(st.integers(1, count))
    steps = order(count, batch, seed, epoch)
    assert steps.shape == (count // batch, batch)
    assert len(set(steps.ravel().tolist())) == steps.size
    assert 0 <= steps.min() <= steps.max() < count


@pytest.mark.slow
def test_workers_share_the_batches_of_one(digits):
    plain = Augmentation(operations=1)
    whole, targets = one_epoch(digits, plain)
    parts = [one_epoch(digits, plain, share=Share(index, 2)) for index in range(2)]
    assert np.array_equal(np.concatenate([images for images, _ in parts], axis=1), whole)
    assert np.array_equal(np.concatenate([right for _, right in parts], axis=1), targets)


def test_targets_are_the_classes_of_their_pictures(digits):
    _, targets = one_epoch(digits, STILL)
    steps = order(len(digits), 16, 3, 1)
    assert np.array_equal(targets.argmax(-1), digits.labels[steps])


def test_mixed_targets_are_shares_of_two_classes(digits):
    _, targets = one_epoch(digits, Augmentation(mixup=0.4))
    assert np.allclose(targets.sum(-1), 1)
    assert ((targets > 0).sum(-1) <= 2).all()
    assert (targets.max(-1) < 1).any()


def test_without_change_a_picture_is_its_square(digits):
    images, _ = one_epoch(digits, STILL, batch=50)
    shown = images[0] * np.asarray(HOW.std, np.float32) + np.asarray(HOW.mean, np.float32)
    squares = digits.squares[order(50, 50, 3, 1)[0]]
    # The corners of a digit of 8 x 8 pixels become those of the picture.
    places = np.linspace(0, squares.shape[1] - 1, HOW.resolution)
    weights = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(squares.shape[1])))
    expected = np.einsum("ri,sj,pijc->prsc", weights, weights, squares)
    np.testing.assert_allclose(shown, expected, atol=0.05)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31 - 1), operations=st.integers(0, 3), magnitude=st.floats(0, 10))
def test_a_changed_picture_stays_a_picture(seed, operations, magnitude):
    square = np.random.default_rng(seed).integers(0, 256, (20, 20, 3), np.uint8)
    change = Augmentation(operations=operations, magnitude=magnitude)
    size = np.array([30, 40], np.int32)
    image = augmented(square, size, np.array([seed, 1], np.int32), 16, change).numpy()
    assert image.shape == (16, 16, 3)
    assert np.isfinite(image).all()
    assert 0 <= image.min() <= image.max() <= 255


@pytest.mark.parametrize("operation", range(len(OPERATIONS)))
def test_an_operation_of_no_strength_leaves_a_photograph_alone(operation, photographs):
    image = np.asarray(photographs["chelsea"].resize((32, 32)), np.float32) / 255
    image = (image - image.min((0, 1))) / (image.max((0, 1)) - image.min((0, 1)))
    done = np.asarray(OPERATIONS[operation](image, np.float32(0.0)))
    # Posterizing to eight bits, and the outermost row of a picture that is moved by nothing.
    assert np.abs(done - image)[1:-1, 1:-1].max() < 0.01


def test_the_last_batch_of_pictures_that_judge_is_what_is_left():
    pixels = judged(named_data_set("digits").val.taken(range(50)), HOW)
    batches = list(judging_batches(pixels, HOW, 16).as_numpy_iterator())
    assert [len(images) for images, _ in batches] == [16, 16, 16, 2]
    assert np.concatenate([labels for _, labels in batches]).tolist() == pixels.labels.tolist()
    assert np.allclose(batches[0][0], HOW.normalised(pixels.squares[:16]))
