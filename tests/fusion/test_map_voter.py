"""The live map's voter: cues known by hand, and what must hold for any weights."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from sem_field_ros.errors import WeightsError
from sem_field_ros.fusion.hand_made import CUES, Votes
from sem_field_ros.fusion.map_voter import (
    MAP_CUES,
    POOLINGS,
    MapVoter,
    MapVoterConfig,
    config_from_dict,
    own_cues,
    scaled_cues,
)
from sem_field_ros.fusion.registry import make_fusion

CONFIG = MapVoterConfig(encoder=6, features=4, base=(8, 6), head=(5, 4))


def test_the_map_and_the_voter_agree_on_the_cues() -> None:
    assert CUES == MAP_CUES


def test_scaled_cues_by_hand() -> None:
    cues = torch.tensor([2.0, 0.0, 0.0, 0.025, 0.5])
    torch.testing.assert_close(scaled_cues(cues), torch.tensor([1.0, 0.0, 0.0, 1.0, 0.5, 0.5]))


def test_own_cues_by_hand() -> None:
    probabilities = torch.tensor([[[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]])
    seen = torch.tensor([[True, True, False]])
    cues = own_cues(probabilities, seen)[0]
    torch.testing.assert_close(cues[0], torch.tensor([1.0, 0.0, 0.75]), atol=1e-4, rtol=0)
    torch.testing.assert_close(cues[1], torch.tensor([0.5, 1.0, 0.5]))
    assert cues[2].tolist() == [0, 0, 0]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_votes_are_distributions_whatever_the_order_of_the_views(pooling: str) -> None:
    g = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    voter = MapVoter(replace(CONFIG, pooling=pooling, classes=7 if pooling == "direct" else 0))
    for parameter in voter.parameters():
        parameter.data.normal_(std=0.5, generator=g)
    probabilities = torch.softmax(torch.randn(30, 5, 7, generator=g), dim=-1)
    seen = torch.rand(30, 5, generator=g) > 0.3
    seen[0] = False
    probabilities = probabilities * seen[..., None]
    features, cues = torch.rand(30, 5, 4, generator=g) * 2 - 1, torch.randn(30, 5, MAP_CUES, generator=g)
    fused, weights = voter(probabilities, features, cues, seen)
    torch.testing.assert_close(fused.sum(dim=1), seen.any(dim=1).float())
    assert (weights[~seen] == 0).all()
    order = [4, 2, 0, 1, 3]
    again, _ = voter(probabilities[:, order], features[:, order], cues[:, order], seen[:, order])
    torch.testing.assert_close(fused, again)


def test_an_untrained_product_is_the_bayesian_fusion() -> None:
    g = torch.Generator().manual_seed(3)
    probabilities = torch.softmax(torch.randn(20, 4, 6, generator=g), dim=-1)
    scores = (torch.rand(20, 4, generator=g) > 0.3).float()
    probabilities = probabilities * scores[..., None]
    cues, features = torch.randn(20, 4, MAP_CUES, generator=g), torch.randn(20, 4, 4, generator=g)
    fused, _ = MapVoter(replace(CONFIG, pooling="log"))(probabilities, features, cues, scores > 0)
    bayesian = make_fusion("bayesian").fuse(Votes(probabilities, scores, torch.zeros(20, 4, dtype=torch.int32)))
    torch.testing.assert_close(fused, bayesian, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("pooling", [p for p in POOLINGS if p != "direct"])
def test_a_good_view_can_be_learned(pooling: str) -> None:
    """The view whose residual is small is right: after some steps it decides nearly alone."""
    g = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    voter = MapVoter(replace(CONFIG, pooling=pooling))
    optimizer = torch.optim.Adam(voter.parameters(), lr=0.02)
    right = torch.randint(0, 3, (256,), generator=g)
    wrong = (right + torch.randint(1, 3, (256,), generator=g)) % 3
    probabilities = torch.stack([torch.eye(3)[wrong], torch.eye(3)[right]], dim=1) * 0.8 + 0.2 / 3
    cues = torch.zeros(256, 2, MAP_CUES)
    cues[:, 0, 3] = 0.05
    features, seen = torch.zeros(256, 2, 4), torch.ones(256, 2, dtype=torch.bool)
    for _ in range(80):
        fused, weights = voter(probabilities, features, cues, seen)
        loss = torch.nn.functional.nll_loss(fused.clamp(min=1e-6).log(), right)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (fused.argmax(dim=1) == right).all()
    assert float(weights[:, 1].detach().min()) > (0.9 if pooling == "linear" else 0.6)


def test_reduced_features_fit_into_eight_bits() -> None:
    torch.manual_seed(0)
    reduced = MapVoter(CONFIG).project_features(100 * torch.randn(2, 6, 5, 4))
    assert reduced.shape == (2, 4, 5, 4) and float(reduced.detach().abs().max()) <= 1


def test_the_configuration_goes_to_json_and_back() -> None:
    for config in (CONFIG, replace(CONFIG, pooling="log"), replace(CONFIG, pooling="direct", classes=3)):
        assert config_from_dict(config.as_dict()) == config
    with pytest.raises(WeightsError, match="linear, log"):
        replace(CONFIG, pooling="max")
    with pytest.raises(WeightsError, match="direct needs them"):
        replace(CONFIG, classes=3)
    with pytest.raises(WeightsError, match="map voter"):
        config_from_dict({"encoder": 3})
    with pytest.raises(WeightsError, match="elu, relu"):
        replace(CONFIG, activation="tanh")
    silent = {key: value for key, value in CONFIG.as_dict().items() if key != "activation"}
    assert config_from_dict(silent).activation == "elu", "what weights were trained with before cards said so"
    assert math.isclose(sum(p.numel() for p in MapVoter(MapVoterConfig()).parameters()), 6_000, rel_tol=0.3)
