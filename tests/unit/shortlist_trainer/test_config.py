"""Settings: what wins, and what is said of what is wrong."""

from pathlib import Path

import pytest

from shortlist_trainer.presets import PRESETS, ConfigRefused, load_config, preset_for


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_valid(preset: str) -> None:
    assert load_config(preset).seed == 1


def test_presets_follow_the_size_of_the_data() -> None:
    assert [preset_for(n) for n in (100, 100_000, 1_000_209)] == ["tiny", "small", "medium"]


def test_an_override_wins_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("two_tower: {epochs: 7, width: 24}\nseed: 5\n", encoding="utf-8")
    config = load_config("tiny", file, ["two_tower.epochs=3", "ranker.hidden=[8, 4]"], seed=9)
    assert (config.two_tower.epochs, config.two_tower.width, config.ranker.hidden) == (3, 24, (8, 4))
    assert config.seed == 9
    assert config.fusion.candidates == load_config("tiny").fusion.candidates


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("two_tower.epoch=5", "two_tower.epoch is not a setting; there are encoder, history_length"),
        ("towers.epochs=5", "towers is not a setting; there are seed, threads, refit, split"),
        ("two_tower.dropout=1.5", "two_tower.dropout=1.5: Input should be less than 1"),
        ("two_tower.encoder=lstm", "two_tower.encoder='lstm': Input should be 'mean', 'gru' or 'transformer'"),
        ("two_tower.epochs=many", "two_tower.epochs='many': Input should be a valid integer"),
        ("two_tower=5", "two_tower=5: "),
        ("epochs", "--set 'epochs' is not of the form section.key=value"),
        ("two_tower.width=[", "the value cannot be read"),
        ("fusion.popular=0.9", "must be at most 1 together"),
        ("split.validation=0.3", "must leave a share for the test"),
        ("ranker.model=dcnv3", "ranker.model='dcnv3': Input should be 'dcn_low_rank', 'dcn', 'gmf', 'mlp' or 'neumf'"),
        ("ranker={model: gmf, structure: stacked}", "ranker.structure=stacked is for dcn and dcn_low_rank"),
        ("ranker.pretraining=true", "ranker.pretraining is for ranker.model=neumf without ranker.attention"),
        ("ranker={model: neumf, pretraining: true, attention: true}", "without ranker.attention"),
        ("ranker.retrieval_weight=0", "nothing would teach the order of candidates"),
        ("ranker.click_weight=-1", "ranker.click_weight=-1: Input should be greater than or equal to 0"),
        ("ranker.hidden=[0]", "ranker.hidden.0=0: Input should be greater than or equal to 1"),
        ("calibration.method=beta", "calibration.method='beta': Input should be 'platt', 'isotonic' or 'best'"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_range(override: str, message: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        load_config("small", overrides=[override])
    assert message in str(refused.value)


@pytest.mark.parametrize("content", ["- a\n- b\n", "two_tower: [unclosed", "\x00"])
def test_a_file_that_is_no_settings_file_is_refused_by_name(tmp_path: Path, content: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigRefused, match=r"settings\.yaml"):
        load_config("small", file)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused, match=r"nowhere\.yaml cannot be read"):
        load_config("small", tmp_path / "nowhere.yaml")
