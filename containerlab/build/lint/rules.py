"""The rules, as data: name, level, why, and the function that looks."""

from __future__ import annotations

from containerlab.build.lint import casing, stages, steps, variables
from containerlab.build.lint.model import Rule

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (
    Rule(
        "StageNameCasing", "warning",
        "Names of stages know no capitals: the name is read in lower case, and is easier to find when written so.",
        casing.stage_name,
    ),
    Rule("FromAsCasing", "warning", "FROM and AS belong together; one style is easier to read.", casing.from_as),
    Rule(
        "NoEmptyContinuation", "warning",
        "After a line that ends in a backslash an empty one is skipped: what follows still belongs to the instruction.",
        stages.empty_continuation,
    ),
    Rule(
        "ConsistentInstructionCasing", "warning",
        "Instructions work in any case; one style lets them stand out from their arguments.",
        casing.instructions,
    ),
    Rule(
        "ReservedStageName", "warning",
        "FROM and COPY --from read this word with its own meaning, so the stage can't be reached by its name.",
        stages.reserved_name,
    ),
    Rule(
        "JSONArgsRecommended", "warning",
        "As one text the command runs below /bin/sh, which doesn't pass SIGTERM on: `stop` waits, then kills.",
        stages.json_form,
    ),
    Rule("MaintainerDeprecated", "warning", "A label says the same, and tools read it.", stages.maintainer),
    Rule(
        "UndefinedArgInFrom", "warning",
        "FROM sees only ARGs that stand before the first FROM; the variable is empty here.",
        variables.undefined_in_from,
    ),
    Rule(
        "InvalidDefaultArgInFrom", "warning",
        "A build without --build-arg has no valid base image.",
        variables.default_arg_in_from,
    ),
    Rule("RedundantTargetPlatform", "warning", "It is what FROM does anyway.", variables.target_platform),
    Rule(
        "WorkdirRelativePath", "warning",
        "It is relative to the WORKDIR of the base image, which may change with the image's next version.",
        stages.relative_workdir,
    ),
    Rule(
        "UndefinedVar", "warning",
        "Neither ARG nor ENV of this stage defines it, so it is empty. An ARG before FROM is named again after it.",
        variables.undefined,
    ),
    Rule(
        "MultipleInstructionsDisallowed", "warning",
        "Only the last one of its stage counts; this one has no effect.",
        stages.more_than_once,
    ),
    Rule(
        "LegacyKeyValueFormat", "warning",
        "Without = the rest of the line is one value, and it is easy to mean something else.",
        variables.legacy_pairs,
    ),
    Rule(
        "SecretsUsedInArgOrEnv", "warning",
        "It stays in the image's settings or history, where everybody who has the image can read it.",
        variables.secrets,
    ),
    Rule("ExposeProtoCasing", "warning", "Protocols are written in lower case.", casing.expose_protocol),
    Rule("UnusedStage", "advice", "It is not built unless --target names it.", stages.unused),
    Rule(
        "CopyFromUnknownStage", "advice",
        "A name that is no stage's is taken as an image's, and looked for in a registry.",
        stages.copy_from_no_stage,
    ),
    Rule(
        "AptUpdateElsewhere", "advice",
        "A cached `apt-get update` keeps its old lists while the install changes: packages are then missing or old.",
        steps.apt_update,
    ),
    Rule(
        "AptListsLeft", "advice",
        "A later RUN can't take them out of this layer any more; delete them in the RUN that made them.",
        steps.apt_clean,
    ),
    Rule("AptRecommends", "advice", "Packages that nothing needs make the image larger.", steps.apt_recommends),
    Rule("AptAsks", "advice", "The build fails where the question is asked.", steps.apt_yes),
    Rule(
        "CopyBeforeInstall", "advice",
        "Each change of any file makes all dependencies be installed again; copy first what names them.",
        steps.copy_all_first,
    ),
    Rule(
        "CdInRun", "advice",
        "Each RUN is a process of its own, and its folder ends with it; WORKDIR holds for all that follow.",
        steps.cd,
    ),
    Rule("AddForCopy", "advice", "ADD also unpacks and downloads; COPY says that a copy is meant.", steps.add),
    Rule("UnpinnedImage", "hint", "A tag with a version gives the same image tomorrow.", steps.latest),
)  # fmt: skip
