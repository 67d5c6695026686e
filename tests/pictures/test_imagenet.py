import pytest

from edgeeff.pictures.imagenet import imagenet_labels


@pytest.mark.parametrize(
    ("number", "name"), [(0, "tench"), (285, "Egyptian cat"), (967, "espresso"), (999, "toilet")]
)
def test_the_names_are_in_the_order_of_the_class_folders(number, name):
    assert imagenet_labels(1000)[number].startswith(name)


def test_a_background_class_comes_first_and_shifts_the_others():
    assert imagenet_labels(1001) == ("background", *imagenet_labels(1000))


@pytest.mark.parametrize("outputs", [10, 999, 1002])
def test_other_networks_have_other_classes(outputs):
    assert imagenet_labels(outputs) is None
