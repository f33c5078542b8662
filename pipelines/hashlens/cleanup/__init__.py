"""From groups of duplicates to a clean collection: plan, apply, undo.

    plan = make_plan(groups, "quarantine", to="/photos/duplicates")
    plan.save("plan.csv")
    apply("plan.csv")
    undo("plan.journal.jsonl")

No file is ever overwritten. No step takes a file away unless its keeper is there, byte for byte. A
run that was killed at any moment can be continued or undone. The functions are in the modules
`plan`, `apply` and `undo`.
"""
