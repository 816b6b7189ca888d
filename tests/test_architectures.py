"""--skip, --norm and --hidden: predictions beside measurements, what theory leaves out, what is refused."""

import json

import pytest

WIDE = ["--width", "300", "--samples", "100", "--activation", "relu"]
IMAGES = ["--width", "100", "--samples", "20", "--activation", "relu"]


@pytest.fixture
def layers_of(initlab_here, tmp_path):
    def run(*words):
        done = initlab_here(*words, "-o", tmp_path / "a.png", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["layers"], done.stderr

    return run


def test_histograms_of_residual_networks_have_predictions(layers_of):
    layers, _ = layers_of("histogram", *WIDE, "--depth", 4, "--skip", "every=1, scale=0.8", "--norm", "layer")
    assert [layer["std"] for layer in layers] == pytest.approx(
        [layer["predicted_std"] for layer in layers], rel=0.15
    )
    plain, _ = layers_of("histogram", *WIDE, "--depth", 4, "--skip", 1)
    # He's branches double the signal of each block.
    assert plain[3]["predicted_std"] == pytest.approx(8**0.5 * plain[0]["predicted_std"])


def test_histograms_of_images_say_where_theory_is_approximate(layers_of):
    hidden = "conv(20, kernel=3, padding=same), pool(2), 30"
    layers, said = layers_of("histogram", *IMAGES, "--hidden", hidden)
    assert len(layers) == 2
    assert all(layer["predicted_std"] > 0 for layer in layers)
    assert "Behind a border of zeros, theory of maxima and of skip(order=post) takes all places" in said


@pytest.mark.parametrize("command", ["histogram", "depth"])
def test_a_scheme_without_theory_is_named(layers_of, command):
    _, said = layers_of(command, *WIDE, "--depth", 2, "--init", "constant(value=0.1)", "--skip", 1)
    assert "Theory says nothing of constant(value=0.1): its weights are correlated" in said


def test_profiles_of_residual_networks_have_predictions(layers_of):
    layers, _ = layers_of("depth", "--init", "he", *WIDE, "--depth", 5, "--skip", 1, "--norm", "batch")
    for name in ("activation_std", "gradient_std"):
        assert [layer[name] for layer in layers] == pytest.approx(
            [layer[f"predicted_{name}"] for layer in layers], rel=0.15
        )


def test_a_residual_network_is_diagnosed(initlab_here, small_data):
    words = ["diagnose", "--data", small_data, "--hidden", "30x20", "--skip", "1", "--norm", "layer"]
    done = initlab_here(*words, "--json")
    (network,) = json.loads(done.stdout)["networks"]
    assert network["skip"] == "every=1"
    assert network["normalization"].startswith("LayerNorm")
    shown = initlab_here(*words)
    assert "LayerNorm before, skip(every=1)" in " ".join(shown.stdout.split())


def test_a_config_with_a_skip_is_diagnosed_with_it(initlab_here, small_config):
    words = ["diagnose", small_config, "--set", "network.hidden=[9, 9, 9, 9]", "--set", "network.skip=1"]
    done = initlab_here(*words, "--json")
    assert done.returncode == 0, done.stderr
    assert {network["skip"] for network in json.loads(done.stdout)["networks"]} == {"every=1"}


def test_an_overview_tells_networks_of_other_skips_apart(initlab_here, small_config):
    words = ["--set", "network.hidden=[9, 9, 9]", "--set", "sweep.network.skip=[null, 1]"]
    done = initlab_here("diagnose", small_config, *words, "--set", "sweep.init=[he]")
    assert done.returncode == 0, done.stderr
    assert "".join(done.stdout.split()).count("skip(every=1)") == 1


def test_where_no_gradient_reaches_the_last_layer_a_table_has_no_factor(initlab_here, tmp_path):
    """Fixup begins with a last layer of zeros."""
    few = ["--width", "10", "--depth", "4", "--skip", "2", "--activation", "relu"]
    done = initlab_here("depth", "--init", "fixup", *few, "-o", tmp_path / "a.png")
    assert done.returncode == 0, done.stderr
    assert "nan" not in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["histogram", "--skip", "evry=2"], "unknown argument of skip 'evry'; did you mean 'every'?"),
        (["histogram", "--norm", "layr"], "unknown normalization 'layr'; did you mean 'layer'?"),
        (["histogram", "--hidden", "cnv(4, kernel=3)"], "unknown layer 'cnv'; did you mean 'conv(...)'?"),
        (["histogram", "--hidden", "conv(4, kernel=3)", "--width", "99"], "99 inputs are no square image"),
        (["histogram", "--hidden", "9x2", "--depth", "3"], "give it or --depth, not both"),
        (["diagnose", "--style", "slides"], "--style and --size are for --figure"),
        (["depth", "--norm", "layer(place=aftr)"], "unknown place 'aftr'; did you mean 'after'?"),
        (["depth", "--norm", "layer", "--batch-norm", "after"], "give either --norm or --batch-norm"),
        (["histogram", "--skip", "every=two"], "skip: every must be a whole number from 1 on, not 'two'"),
        (["diagnose", "--skip", "0"], "skip: every must be a whole number from 1 on, not 0"),
        (["diagnose", "mnist", "--skip", "1"], "give either a config, which --set changes"),
        (
            ["diagnose", "m:model", "--norm", "layer"],
            "a model takes no --init, --activation, --hidden, --norm",
        ),
    ],
)
def test_mistakes_are_told_in_words(initlab_here, words, message):
    done = initlab_here(*words)
    assert done.returncode == 2
    assert message in done.stderr
