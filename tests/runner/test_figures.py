"""The figures of an experiment: their looks and formats, and those of networks before training."""

import pytest
from matplotlib.figure import Figure

from initlab.errors import ConfigError
from initlab.measure.depth import depth_profiles
from initlab.measure.histograms import layer_panels
from initlab.nn.architecture import Skip
from initlab.nn.normalization import LayerNorm
from initlab.runner.config import Experiment, load_experiment
from initlab.runner.figures import check_figures
from initlab.runner.grid import expand
from initlab.runner.reports import preview
from initlab.runner.sweep import Choice, run_experiment
from initlab.runner.untrained import draw_depth, draw_histogram, untrained

HERE = Choice(jobs=0)
TINY = ["name=small", "train.steps=3", "sweep.seed=[3]", "sweep.init=[he, {scheme: std=0.01, label: 小さい}]"]


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix in (".png", ".svg", ".pdf"))


def test_a_config_chooses_looks_and_formats_which_change_no_run(small_config, tmp_path):
    plain = load_experiment(small_config, TINY)
    slides = load_experiment(small_config, [*TINY, "plotting={style: slides, formats: [pdf, png]}"])
    assert [run.id for run in expand(plain)] == [run.id for run in expand(slides)]
    assert slides.name == plain.name == "small"
    assert "plotting" not in plain.resolved()
    first = run_experiment(plain, tmp_path / "r", HERE)
    before = (first.store.folder / "loss.png").read_bytes()
    again = run_experiment(slides, tmp_path / "r", HERE)
    assert again.trained == 0
    assert (again.store.folder / "loss.png").read_bytes() != before
    assert (again.store.folder / "loss.pdf").read_bytes().startswith(b"%PDF")
    run_experiment(load_experiment(again.store.folder / "experiment.yaml"), tmp_path / "copy", HERE)
    assert files(tmp_path / "copy/small") == ["loss.pdf", "loss.png"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("plotting.stile=gray", "unknown key 'stile'; did you mean 'style'?"),
        ("plotting.style=grey", "plotting.style: unknown style 'grey'; did you mean 'gray'?"),
        ("plotting.size=0.5", "plotting.size: size 0.5: a side has 2 to 40 inches"),
        ("plotting.size=collumn", "plotting.size: unknown size 'collumn'; accepted are column"),
        ("plotting.formats=[gif]", "plotting.formats: unknown format 'gif'; accepted are png, svg or pdf"),
        ("plotting.formats=[]", r"plotting.formats: the formats are a list, as \[png, pdf\], not \[\]"),
        ("plotting.formats=3", "the formats are a list"),
        ("plotting.svg_text=1", "plotting.svg_text must be true or false, not 1"),
        (
            "plotting=slides",
            "plotting must be a mapping of keys to values, .* write plotting: {style: slides}",
        ),
        ("sweep.plotting.style=[gray]", "'plotting' is no setting of a run: it cannot be swept"),
    ],
)
def test_wrong_looks_are_told_with_their_place(small_config, override, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_experiment(small_config, [*TINY, override])
    (mistake,) = caught.value.mistakes
    assert "sweep, as" not in mistake


def test_one_format_may_stand_alone(small_config):
    assert load_experiment(small_config, [*TINY, "plotting.formats=pdf"]).plotting.formats == ("pdf",)


def test_the_networks_before_training_are_those_of_the_sweep(small_config):
    experiment = load_experiment(small_config, [*TINY, "network.activation=tanh"])
    networks = untrained(experiment)
    assert [str(start) for start in networks.starts] == ["he", "小さい"]
    assert (networks.depth, networks.width, networks.seed) == (2, 8, 3)
    figure = draw_histogram(experiment)
    panels = layer_panels(["he", "std=0.01"], ["tanh"], depth=2, width=8, seed=3)
    captions = [axes.get_title("left") for axes in figure.axes]
    assert all(f"std {panel.std:.3g} " in text for panel, text in zip(panels, captions, strict=True))
    points = draw_depth(experiment, seeds=2).axes[0].containers
    (he, _) = depth_profiles(["he", "std=0.01"], ["tanh"], depth=2, width=8, seeds=2)
    assert points[0].lines[0].get_ydata().tolist() == he.activation_std.mean(axis=0).tolist()
    assert [bars.get_label() for bars in points] == ["he", "小さい"]


def test_residual_and_normalized_networks_are_drawn_as_they_are(small_config):
    changes = ["network.skip=1", "network.norm=layer", "network.depth=3"]
    experiment = load_experiment(small_config, [*TINY, *changes])
    networks = untrained(experiment)
    assert (networks.skip, networks.norm) == (Skip(1), LayerNorm())
    figure = draw_depth(experiment, seeds=1)
    assert "LayerNorm before the activation, skip(every=1)" in " ".join(figure.get_suptitle().split())
    assert isinstance(draw_histogram(experiment), Figure)


def test_they_are_drawn_by_run(small_config, tmp_path):
    named = "figures=[histogram, 'histogram(what=gradients)', 'depth(seeds=2)']"
    done = run_experiment(load_experiment(small_config, [*TINY, named]), tmp_path / "r", HERE)
    names = ["depth-seeds-2", "histogram", "histogram-what-gradients"]
    wanted = {f"{name}.{suffix}" for name in names for suffix in ("png", "svg")}
    assert set(files(done.store.folder)) == wanted


@pytest.mark.parametrize(
    ("figure", "overrides", "message"),
    [
        ("histogram(what=gradient)", [], "unknown quantity 'gradient'; did you mean 'gradients'?"),
        ("histogram", ["network.hidden=[8, 9]"], "layers of one width are drawn, not 8 9"),
        ("histogram", ["network.hidden=[]"], "layers of one width are drawn, not none"),
        ("histogram", ["sweep.network.depth=[1, 2]"], "but the runs differ in hidden layers"),
        ("histogram", ["sweep.network.skip=[1, 2]"], "the runs differ in skip connections"),
        ("histogram", [f"sweep.init={[f'std={i}' for i in range(1, 102)]}"], "holds 100 rows .* not 101"),
        ("depth", ["network.depth=1"], "needs two hidden layers or more, not 1"),
        ("depth", ["sweep.network.batch_norm=[before, null]"], "the runs differ in normalization"),
        ("depth(seeds=0)", [], "seeds must be from 1 to 1000, not 0"),
    ],
)
def test_figures_that_cannot_be_drawn_are_refused_before_training(small_config, figure, overrides, message):
    experiment = load_experiment(small_config, [*TINY, *overrides, f"figures=['{figure}']"])
    with pytest.raises(ConfigError, match=message):
        check_figures(experiment)


def test_starts_that_share_a_label_keep_their_own_names():
    experiment = Experiment(
        name="two",
        network={"hidden": "8x2", "activation": "relu"},
        train={"steps": 1, "batch_size": 1, "optimizer": {"name": "sgd", "lr": 0.1}},
        init={"scheme": "he", "label": "Mine"},
        sweep={"init.gain": [1, 2]},
    )
    assert len({str(start) for start in untrained(experiment).starts}) == 2
    assert isinstance(draw_depth(experiment, 1), Figure)


def test_a_dry_run_refuses_them_too(small_config, tmp_path):
    experiment = load_experiment(small_config, [*TINY, "figures=[depht]"])
    with pytest.raises(ConfigError, match="unknown figure 'depht'; did you mean 'depth'"):
        preview(experiment, tmp_path, HERE)


def test_where_all_runs_failed_their_causes_are_told(initlab_here, small_config):
    """Boltzmann machines see values from 0 to 1 alone; of no run at all, there is no figure."""
    few = [
        "--set",
        "sweep.init=[pretrained_rbm]",
        "--set",
        "network.activation=sigmoid",
        "--set",
        "data.inputs=standardized",
        "--set",
        "sweep.seed=[0]",
        "--set",
        "figures=[loss, depth]",
    ]
    done = initlab_here("run", small_config, *few)
    assert done.returncode == 1
    assert "failed: pretraining describes inputs from 0 to 1" in done.stderr
