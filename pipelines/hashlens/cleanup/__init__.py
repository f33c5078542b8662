"""From groups of duplicates to a clean collection: a plan to review, its execution, the way back.

    plan = make_plan(groups, "quarantine", to="/photos/duplicates")
    plan.save("plan.csv")
    apply("plan.csv")
    undo("plan.journal.jsonl")

No file is ever overwritten, no step takes a file away whose keeper is not there, byte for byte,
and a run that was killed at any moment goes on where it was, or back. The functions are in the
modules `plan`, `apply` and `undo`.
"""
