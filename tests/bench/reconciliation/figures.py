"""The benchmark's figures: what each means, and what is promised of some.

Seconds are wall time from the inputs to the result without the start of the process; CPU seconds are of the program
and of the database for it. Where there are rounds, everything is a median, ratios of each round's own.

The engine's result is breaks and statement in the database, as it is of what it is compared with. Pages, workbook and
tables are made of that afterwards, which no peer does: they have figures of their own, and the memory counts in all of it.
"""

from collections.abc import Mapping

from tests.bench.figures import Target

COMPARED = ("import", "gather", "sift", "collect", "judge", "conclude")
"""The steps to the result."""
STEPS = (*COMPARED, "report")
READING = {
    "blocks": "blocks of text, as the worker does",
    "quoted": "blocks of CSV",
    "pymysql": "rows, with PyMySQL",
    "connectorx": "ConnectorX",
}
PEERS = ("sql", "datacompy", "reladiff_join", "reladiff_hash")

DOCUMENTED: Mapping[str, str] = {
    "floor_seconds": "both inputs read to their end, and nothing else",
    "floor_cpu_s": "CPU seconds of it",
    # From the Stripe file on disk and the books in MariaDB to breaks and statement stored.
    "ours_seconds": "the engine, from both inputs to breaks and statement",
    "ours_cpu_s": "CPU seconds of it",
    "ours_reported_seconds": "the engine and its report",
    "ours_reported_cpu_s": "CPU seconds of both",
    "ours_peak_mb": "the most memory its process held, the report included, MB",
    "ours_foreign_cores": "cores that worked for something else meanwhile",
    "ours_to_floor": "the engine, as a ratio to the floor",
    **{f"ours_{step}_seconds": f"of it: {step}" for step in COMPARED},
    "ours_report_seconds": "the report thereafter",
    **{f"ours_{step}_cpu_s": f"CPU seconds of {step}" for step in STEPS},
    **{f"ours_{step}_peak_mb": f"the most memory up to the end of {step}, MB" for step in STEPS},
    # All of our books into Arrow in the client's memory, each way in a process of its own.
    **{
        name: meaning
        for way, what in READING.items()
        for name, meaning in {
            f"reading_{way}_cpu_s": f"CPU seconds of reading our books by {what}",
            f"reading_{way}_server_cpu_s": "of it: the server's",
            f"reading_{way}_grown_mb": "memory that it took, what was read included, MB",
        }.items()
    },
    # LOAD DATA, then one statement over both tables.
    "sql_seconds": "LOAD DATA and the single statement that classifies everything",
    "sql_compare_seconds": "the statement alone",
    "sql_cpu_s": "CPU seconds of both",
    "ours_to_sql": "the engine, as a ratio to that",
    "ours_to_sql_compare": "the same, loading not counted for SQL",
    "datacompy_seconds": "datacompy on polars, both sides loaded and compared",
    "datacompy_compare_seconds": "the comparison alone",
    "datacompy_cpu_s": "CPU seconds of both",
    "datacompy_peak_mb": "the most memory it held, MB",
    "ours_to_datacompy": "the engine, as a ratio to that",
    "ours_to_datacompy_compare": "the same, loading not counted for datacompy",
    **{
        name: meaning
        for way in ("join", "hash")
        for name, meaning in {
            f"reladiff_{way}_seconds": f"reladiff ({way}), LOAD DATA, a table an order of each side, and the difference",
            f"reladiff_{way}_compare_seconds": "the difference alone",
            f"reladiff_{way}_cpu_s": "CPU seconds of all",
            f"ours_to_reladiff_{way}": "the engine, as a ratio to that",
            f"ours_to_reladiff_{way}_compare": "the same, loading not counted for reladiff",
        }.items()
    },
    # The engine on more orders of the same kind, in the same run.
    "growth_factor": "how many times as many orders",
    "growth_seconds": "the engine on those",
    "growth_cpu_s": "CPU seconds of it",
    "growth_report_seconds": "the report thereafter",
    "growth_peak_mb": "the most memory its process held, the report included, MB",
    "growth_time": "seconds an order, as a ratio to the smaller books",
    "growth_cpu": "CPU seconds an order, as a ratio to the smaller books",
    "growth_peak": "most memory, as a ratio to the smaller books",
    "growth_floor": "seconds an order of reading both inputs and nothing else, as a ratio to the smaller books",
    **{f"growth_{step}": f"seconds an order of {step}, likewise" for step in STEPS},
    **{f"growth_{step}_cpu": f"CPU seconds an order of {step}, likewise" for step in STEPS},
}

TARGETS = (
    Target("ours_peak_mb", 400.0, at_least=False),
    Target("ours_to_sql", 0.25, at_least=False),
    *(Target(f"ours_to_{peer}_compare", 1.0, at_least=False) for peer in PEERS),
    Target("growth_time", 1.05, at_least=False),
    Target("growth_peak", 1.15, at_least=False),
)
