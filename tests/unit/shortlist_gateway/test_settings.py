"""Settings of the gateway: what is out of range is refused before anything is served."""

from __future__ import annotations

import pytest

from shortlist_gateway.settings import GatewaySettings


@pytest.mark.parametrize("values", [{"home-page-view": 1.0}, {"add-to-cart": float("nan")}])
def test_values_of_retails_events_are_finite_numbers_of_event_types_that_speak_of_products(
    values: dict[str, float],
) -> None:
    with pytest.raises(ValueError, match="retail_event_values"):
        GatewaySettings.model_validate({"retail_event_values": values})
