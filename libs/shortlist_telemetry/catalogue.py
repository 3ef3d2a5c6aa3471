"""Every metric and log event there is. Code uses only what stands here."""

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

_LATENCY_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The instruments, made once per process and handed down."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.requests = Counter(
            "shortlist_requests", "RPCs answered, by method and gRPC status.", ["method", "code"], registry=registry
        )
        self.request_seconds = Histogram(
            "shortlist_request_seconds",
            "Time from the arrival of an RPC to its answer.",
            ["method"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge("shortlist_in_flight", "RPCs being worked on.", registry=registry)
        self.stage_seconds = Histogram(
            "shortlist_stage_seconds",
            "Time of one stage of one answer, by how it ended.",
            ["stage", "outcome"],
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self.degraded = Counter(
            "shortlist_degraded",
            "Answers that were not full, by cause; one answer may count for several.",
            ["cause"],
            registry=registry,
        )
        self.bundle_generation = Gauge(
            "shortlist_bundle_generation",
            "Generation of the newest bundle that serves here; 0 while none does.",
            registry=registry,
        )
        self.bundles_refused = Counter(
            "shortlist_bundles_refused",
            "Releases that were not loaded because something was wrong with them.",
            registry=registry,
        )
        self.slates_logged = Counter(
            "shortlist_slates_logged", "Served slates that the feature store took into the log.", registry=registry
        )
        self.slates_dropped = Counter(
            "shortlist_slates_dropped",
            "Served slates that are missing from the log, by why: `full`, `refused` and `closed` never came into it, "
            "`unread` were let go before anybody had taken them out.",
            ["reason"],
            registry=registry,
        )
        self.serving_configs = Gauge(
            "shortlist_serving_configs",
            "Serving configs held here, by state: `usable`, `unusable`, and `with_problems` of either.",
            ["state"],
            registry=registry,
        )


class LogEvent:
    """Names of log events."""

    STARTING = "starting"
    """A process starts; carries its effective settings, secrets masked."""

    LISTENING = "listening"
    """The port is open; not yet ready."""

    READY = "ready"
    """Everything is loaded; health says SERVING."""

    NOT_READY = "not_ready"
    """What was ready is not any more."""

    DRAINING = "draining"
    """The end was asked for; new calls are refused, running ones finish."""

    STOPPED = "stopped"
    """Everything is closed."""

    INTERNAL_ERROR = "internal_error"
    """A defect: an exception that nobody expected. Carries the traceback."""

    BUNDLE_LOADED = "bundle_loaded"
    """A bundle was verified, warmed up and serves."""

    BUNDLE_REFUSED = "bundle_refused"
    """A release was not loaded; the one before keeps serving."""

    BUNDLE_FREED = "bundle_freed"
    """A bundle that nobody asks for any more was let go."""

    STAGE_FAILED = "stage_failed"
    """A stage failed and was replaced in an answer. At most one a second for each stage and reason."""

    FEED_LOST = "item_feed_lost"
    """The stream of item counters broke; the last values stay in use."""

    FEED_RESUMED = "item_feed_resumed"
    """The stream of item counters is back."""

    STORE_LOST = "store_lost"
    """Redis cannot be reached; calls are refused at once until it can."""

    STORE_BACK = "store_back"
    """Redis can be reached again."""

    COUNTS_LOST = "counts_lost"
    """Events were stored, and Redis went away before their items were counted; the counters stay that much too low."""

    SLATES_WAIT = "slates_wait"
    """The feature store takes no served slates; they wait in memory, and are dropped where more come than may wait."""

    SLATES_REFUSED = "slates_refused"
    """The feature store found served slates wrong; they were dropped."""

    SLATES_UNREAD = "slates_unread"
    """The log of served slates is full, and lets go what nobody has taken out: `shortlist slates export` is not
    run often enough. Said once a minute."""

    NO_SIGNING_KEY = "no_signing_key"
    """No key to sign tokens with is set. Tokens end with this process, and other replicas refuse them."""

    CONFIGS_AWAY = "configs_away"
    """The feature store gives no serving configs; those that are held go on."""

    CONFIGS_BACK = "configs_back"
    """The feature store gives serving configs again."""

    CONFIG_REFUSED = "config_refused"
    """A serving config cannot be used, hides another, or does not fit the bundle in part. Said once for each reason."""

    EMBEDDED_STORE = "embedded_store"
    """A Valkey of our own was started, restarted, or could not be."""
