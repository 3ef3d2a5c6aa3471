"""A request under a serving config: what the config sets, the request may narrow, never widen.

Every method takes what the request says of one thing and returns what holds. A request that would widen the config is
noted as a violation that names the field and the config's limit; where nothing is to be refused, the tighter of the two
holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from shortlist.common.v1 import selection_pb2
from shortlist_domain.stages import Source
from shortlist_gateway.checks import DEFAULT_SLATE, MAX_SLATE, Checks
from shortlist_gateway.configs.config import Serving
from shortlist_gateway.configs.rule_narrowing import Refuse, narrowed_rules
from shortlist_gateway.constraint_checks import rules_of, seen_rule
from shortlist_gateway.filters.condition import Condition, condition_of
from shortlist_gateway.query import SeenEvents
from shortlist_gateway.slate.rules import NO_RULES, Rules, without_ranking

_POLICIES = {
    selection_pb2.EMPTY_POLICY_RETURN_EMPTY: "RETURN_EMPTY",
    selection_pb2.EMPTY_POLICY_RELAX_FILTER: "RELAX_FILTER",
    selection_pb2.EMPTY_POLICY_FALLBACK_CONFIG: "FALLBACK_CONFIG",
}

_LIKENESS = frozenset(Source) - {Source.POPULAR, Source.NEWEST}
"""Sources that can say what is like an item."""


class Narrowing:
    """Holds one request against the config that answers it."""

    def __init__(self, serving: Serving, checks: Checks) -> None:
        self._config = serving.config
        self._serving = serving
        self._checks = checks
        self.warnings = list(serving.warnings)
        """What of the config does not apply, in words."""

    def slate_size(self, asked: int) -> int:
        """Return the number of items wanted; ``asked`` is 0 where the request names none."""
        most = self._config.slate_size
        size = self._checks.slate_size(asked, default=most or DEFAULT_SLATE)
        if most and size > most:
            self._refuse("slate_size", f"is {size}", f"allows at most {most}")
            return most
        return size

    def candidate_count(self, asked: int) -> int:
        """Return the number of candidates wanted, 0 for the server's own."""
        most = self._config.candidate_count
        if most and asked > most:
            self._refuse("candidate_count", f"is {asked}", f"allows at most {most}")
            return most
        return asked or most

    def lists(self, excluded: Sequence[str], included: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the items that must not appear, the config's and the request's, and those that alone may."""
        own = self._config.include_item_ids
        without = (*self._config.exclude_item_ids, *excluded)
        if own and included:
            known = set(own)
            others = [(at, item_id) for at, item_id in enumerate(included) if item_id not in known]
            for at, item_id in others:
                path = f"constraints.include_item_ids[{at}]"
                self._refuse(path, f"is {item_id[:80]!r}", f"allows {len(own)} items, and it is none of them")
            without = (*without, *(item_id for _, item_id in others))
        return tuple(dict.fromkeys(without)), tuple(included) or own

    def seen(self, constraints: selection_pb2.Constraints, now_s: float) -> tuple[bool, tuple[SeenEvents, ...]]:
        """Return whether seen items are excluded, and by which events: by those of the config and of the request."""
        is_excluded, types, since_s = seen_rule(self._checks, constraints, now_s)
        asked, own = SeenEvents(types, since_s), self._config.seen
        if own is None:
            return is_excluded, (asked,)
        of_config = SeenEvents(own.event_types, now_s - own.lookback_s)
        if not constraints.HasField("exclude_seen"):
            return own.is_excluded, (of_config,)
        if not own.is_excluded:
            return is_excluded, (asked,)
        if not is_excluded:
            self._refuse("constraints.exclude_seen.disabled", "is true", "excludes what was seen")
            return True, (of_config,)
        return True, (of_config, asked)

    def minimum_click_probability(self, asked: float | None) -> float | None:
        """Return the least click probability, ``None`` where there is none."""
        if not self._config.is_ranked:
            if asked:
                self._needs_ranker("constraints.minimum_click_probability", asked)
            return None
        own = self._config.minimum_click_probability
        if own is None or asked is None:
            return asked if own is None else own
        if asked < own:
            self._refuse("constraints.minimum_click_probability", f"is {asked:g}", f"demands at least {own:g}")
        return max(asked, own)

    def rules(self, constraints: selection_pb2.Constraints, slate_size: int) -> Rules:
        """Return what a slate of ``slate_size`` must look like; without what needs a ranker, where none is asked."""
        rules = self._rules(constraints, slate_size)
        if self._config.is_ranked or not (rules.diversity or rules.exploration):
            return rules
        for name, rule in (("diversity", rules.diversity), ("exploration", rules.exploration)):
            if rule is not None:
                self._needs_ranker(f"constraints.{name}.strength", rule.strength)
        return without_ranking(rules)

    def _rules(self, constraints: selection_pb2.Constraints, slate_size: int) -> Rules:
        # What was right for the slate of another config may not fit this one's: then it is cut, not refused.
        longest = slate_size if self._serving.is_strict else MAX_SLATE
        asked = rules_of(self._checks, constraints, longest, self._serving.filters)
        own = self._config
        is_free = own.rules is NO_RULES and not own.message.constraints.HasField("exploration")
        if is_free and self._serving.is_strict:
            return asked
        refuse: Refuse = self._refuse
        rules, warnings = narrowed_rules(self._config, constraints, asked, slate_size, refuse)
        self.warnings += warnings
        return rules

    def unranked_rules(self, constraints: selection_pb2.Constraints, slate_size: int) -> Rules:
        """Return what a slate that is not ranked must look like: without what needs ranking."""
        rules = self._rules(constraints, slate_size)
        own = self._config.message.constraints
        needs_ranking = ("minimum_click_probability", "diversity", "exploration")
        if left := [name for name in needs_ranking if own.HasField(name)]:
            said = f"{', '.join(left)} of {self._config.name!r} do not apply: similarity is not ranked"
            self.warnings.append(f"serving_config: {said}")
        if (sources := self._config.sources) and _LIKENESS.isdisjoint(sources):
            said = (
                f"{', '.join(map(repr, sources))}, all that {self._config.name!r} asks, cannot say what is like an item"
            )
            self.warnings.append(f"serving_config: {said}")
        return without_ranking(rules) if left else rules

    def filter(self, asked: selection_pb2.Filter) -> Condition | None:
        """Return what items must pass; nothing where the config answers as a fallback."""
        if not self._serving.is_fallback:
            return condition_of(asked, "filter", self._checks, self._serving.filters)
        if asked.WhichOneof("condition"):  # which filters have names was for the config to say that was asked
            own = selection_pb2.Filter()
            own.CopyFrom(asked)
            own.ClearField("named")
            condition_of(own, "filter", self._checks)
        return None

    def on_empty(self, asked: selection_pb2.EmptyPolicy) -> selection_pb2.EmptyPolicy:
        """Return what happens where nothing is left to show; ``asked`` is unspecified where the request is silent."""
        own, path = self._config.on_empty, "filter.on_empty"
        policy = asked or own or selection_pb2.EMPTY_POLICY_RETURN_EMPTY
        if policy not in _POLICIES:
            return selection_pb2.EMPTY_POLICY_RETURN_EMPTY
        if own and policy not in (own, selection_pb2.EMPTY_POLICY_RETURN_EMPTY):
            allowed = " or ".join(dict.fromkeys((_POLICIES[own], "RETURN_EMPTY")))
            self._refuse(path, f"is {_POLICIES[policy]}", f"allows {allowed}")
            policy = own
        if policy == selection_pb2.EMPTY_POLICY_FALLBACK_CONFIG and not self._config.fallback_config:
            self._refuse(path, "is FALLBACK_CONFIG", "names no fallback_config")
            policy = selection_pb2.EMPTY_POLICY_RETURN_EMPTY
        return policy

    def _needs_ranker(self, path: str, asked: float) -> None:
        self._refuse(path, f"is {asked:g}", "asks no ranker, and nothing else can do that")
        if not self._serving.is_strict:
            said = f"serving config {self._config.name!r} asks no ranker"
            self.warnings.append(f"{path}: was not applied, since {said}")

    def _refuse(self, path: str, asked: str, limit: str) -> None:
        if self._serving.is_strict:
            self._checks.wrong(path, f"{asked}; serving config {self._config.name!r} {limit}")
