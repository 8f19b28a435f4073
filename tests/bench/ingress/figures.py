"""The benchmark's figures: what each means, and what is promised of some."""

from collections.abc import Mapping

from tests.bench.figures import Target

DOCUMENTED: Mapping[str, str] = {
    # Against a stub frontend, 16 in flight. Rates are the medians of the rounds, ratios the medians of the rounds' ratios.
    "stub_bare_rps": "starts a second of the bare client",
    "stub_functions_rps": "signed webhooks a second of the functions under gunicorn",
    "stub_twin_rps": "signed webhooks a second of the FastAPI twin under uvicorn",
    "stub_functions_to_bare": "functions, as a ratio to the bare client",
    "stub_functions_to_bare_least": "the worst round of it",
    "stub_functions_to_bare_most": "the best round of it",
    "stub_twin_to_bare": "twin, as a ratio to the bare client",
    "stub_functions_to_twin": "functions, as a ratio to the twin",
    "stub_bare_cpu_ms": "CPU-ms a start, bare client",
    "stub_functions_cpu_ms": "CPU-ms a signed webhook, functions",
    "stub_functions_cpu_ms_least": "the cheapest round of it: nearest to a machine of one's own",
    "stub_twin_cpu_ms": "CPU-ms a signed webhook, twin",
    "stub_twin_cpu_ms_least": "the cheapest round of it",
    "stub_cpu_ms": "CPU-ms a start, of the stub itself",
    "stub_headroom": "how many times the fastest rate measured the stub could serve with one core",
    "load_cpu_ms": "CPU-ms a request, of what sends them",
    "stub_foreign_cores": "cores that worked for something else meanwhile",
    # Against the stub, half of the functions' rate above, sent evenly whatever is answered.
    "half_rps": "webhooks a second",
    "half_p50_ms": "median latency, from the moment a webhook was due",
    "half_p99_ms": "99th percentile of it",
    "half_worst_ms": "the longest",
    "half_cpu_ms": "CPU-ms a signed webhook",
    "half_foreign_cores": "cores that worked for something else meanwhile",
    # Against the development server with its database file, no worker polling, 16 in flight.
    "server_bare_rps": "starts a second of the bare client",
    "server_functions_rps": "signed webhooks a second of the functions",
    "server_functions_to_bare": "functions, as a ratio to the bare client",
    "server_functions_to_bare_least": "the worst round of it",
    "server_functions_to_bare_most": "the best round of it",
    "server_functions_cpu_ms": "CPU-ms a signed webhook, functions",
    "server_cpu_ms": "CPU-ms a start, of the server",
    "server_foreign_cores": "cores that worked for something else meanwhile",
    # The bundle in a Lambda execution environment, and the least that a Flask handler with the SDK can be.
    "cold_functions_ms": "from the start of the process to the first 202, functions",
    "cold_minimal_ms": "the same, minimal handler",
    "cold_ratio": "functions, as a ratio to the minimal handler",
    "cold_ratio_least": "the best pair of it",
    "cold_functions_cpu_ms": "CPU-ms until then, functions",
    "cold_minimal_cpu_ms": "CPU-ms until then, minimal handler",
}

TARGETS = (
    Target("stub_functions_to_bare", 0.40, at_least=True),
    Target("server_functions_to_bare", 0.90, at_least=True),
    Target("stub_functions_cpu_ms", 2.0, at_least=False),
    Target("half_p99_ms", 100.0, at_least=False),
    Target("cold_ratio", 1.15, at_least=False),
)
