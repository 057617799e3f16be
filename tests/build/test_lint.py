"""The lint: each rule at its line with a better one, and silence where there is nothing to say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from containerlab.build.dockerfile import parse
from containerlab.build.lint import Finding, lint
from containerlab.build.lint.rules import RULES
from containerlab.errors import DockerfileError
from tests.build.conftest import Site

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def found(text: str, target: str = "") -> list[Finding]:
    return lint(parse(text), lambda image: frozenset({"HOME_OF_IMAGE"}), target=target)


# rule, Dockerfile, line, message, better
CASES = [
    ("StageNameCasing", "FROM a:1 AS Build", 1, "Stage name 'Build' should be lowercase", "FROM a:1 AS build"),
    ("FromAsCasing", "FROM a:1 as build", 1, "'as' and 'FROM' keywords' casing do not match", "FROM a:1 AS build"),
    ("FromAsCasing", "from a:1 AS build", 1, "'AS' and 'from' keywords' casing do not match", "from a:1 as build"),
    ("NoEmptyContinuation", "FROM a:1\nRUN a \\\n\n b", 3, "Empty continuation line", ""),
    (
        "ConsistentInstructionCasing",
        "FROM a:1\nrun echo A\nUSER b",
        2,
        "Command 'run' should match the case of the command majority (uppercase)",
        "RUN echo A",
    ),
    (
        "ConsistentInstructionCasing",
        "from a:1\nRUN echo A\nuser b",
        2,
        "Command 'RUN' should match the case of the command majority (lowercase)",
        "run echo A",
    ),
    (
        "ReservedStageName",
        "FROM a:1 AS scratch",
        1,
        'Stage name should not use the same name as reserved stage "scratch"',
        "FROM a:1 AS my-scratch",
    ),
    (
        "JSONArgsRecommended",
        "FROM a:1\nCMD python 'my app.py'",
        2,
        "JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
        'CMD ["python", "my app.py"]',
    ),
    (
        "JSONArgsRecommended",
        "FROM a:1\nENTRYPOINT a && b",
        2,
        "JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals",
        'ENTRYPOINT ["/bin/sh", "-c", "a && b"]',
    ),
    (
        "MaintainerDeprecated",
        "FROM a:1\nMAINTAINER me@x",
        2,
        "Maintainer instruction is deprecated in favor of using label",
        'LABEL org.opencontainers.image.authors="me@x"',
    ),
    (
        "UndefinedArgInFrom",
        "ARG VERSION=1\nFROM a:$VERSOIN",
        2,
        "FROM argument 'VERSOIN' is not declared (did you mean $VERSION?)",
        "ARG VERSOIN=…  (before the first FROM)",
    ),
    (
        "InvalidDefaultArgInFrom",
        "ARG V\nFROM a:$V",
        2,
        "Default value for ARG a:$V results in empty or invalid base image name",
        "ARG V=…  (a default that gives a whole name)",
    ),
    (
        "RedundantTargetPlatform",
        "FROM --platform=$TARGETPLATFORM a:1",
        1,
        "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
        "FROM a:1",
    ),
    (
        "WorkdirRelativePath",
        "FROM a:1\nWORKDIR app",
        2,
        'Relative workdir "app" can have unexpected results if the base image changes',
        "WORKDIR /app",
    ),
    (
        "UndefinedVar",
        "FROM a:1\nARG DIR\nCOPY $DIRR /x",
        3,
        "Usage of undefined variable '$DIRR' (did you mean $DIR?)",
        "",
    ),
    (
        "UndefinedVar",
        "ARG V=1\nFROM a:1\nLABEL v=$V",
        3,
        "Usage of undefined variable '$V'",
        "ARG V  (in this stage, after FROM)",
    ),
    ("UndefinedVar", "FROM a:1\nENV a=1 b=$a", 2, "Usage of undefined variable '$a'", ""),
    (
        "MultipleInstructionsDisallowed",
        'FROM a:1\nCMD ["a"]\nCMD ["b"]',
        2,
        "Multiple CMD instructions should not be used in the same stage because only the last one will be used",
        "",
    ),
    (
        "LegacyKeyValueFormat",
        "FROM a:1\nENV a b c",
        2,
        '"ENV key=value" should be used instead of legacy "ENV key value" format',
        'ENV a="b c"',
    ),
    (
        "SecretsUsedInArgOrEnv",
        "FROM a:1\nARG API_TOKEN",
        2,
        'Do not use ARG or ENV instructions for sensitive data (ARG "API_TOKEN")',
        "RUN --mount=type=secret,id=api_token …  (and build --secret id=api_token,…)",
    ),
    (
        "ExposeProtoCasing",
        "FROM a:1\nEXPOSE 80/TCP",
        2,
        "Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
        "EXPOSE 80/tcp",
    ),
    (
        "UnusedStage",
        "FROM a:1 AS one\nFROM b:1",
        1,
        "The stage 'one' is used by no other stage",
        "COPY --from=one …  (in a later stage), or build --target one",
    ),
    (
        "CopyFromUnknownStage",
        "FROM a:1 AS builder\nFROM builder\nCOPY --from=buidler /a /a",
        3,
        "COPY --from=buidler names no stage, so an image is meant; a stage is called 'builder'",
        "COPY --from=builder /a /a",
    ),
    (
        "AptUpdateElsewhere",
        "FROM a:1\nRUN apt-get update\nRUN apt-get install -y x",
        3,
        "apt-get install without apt-get update in the same RUN",
        "RUN apt-get update && apt-get install -y x",
    ),
    (
        "AptListsLeft",
        "FROM a:1\nRUN apt-get update && apt-get install -y x",
        2,
        "apt-get install leaves the package lists in the layer",
        "RUN apt-get update && apt-get install -y x && rm -rf /var/lib/apt/lists/*",
    ),
    (
        "AptRecommends",
        "FROM a:1\nRUN apt-get update && apt-get -y install x",
        2,
        "apt-get install without --no-install-recommends",
        "RUN … apt-get -y install --no-install-recommends x …",
    ),
    (
        "AptAsks",
        "FROM a:1\nRUN apt-get update && apt-get install x",
        2,
        "apt-get install without -y asks, and nobody answers",
        "RUN … apt-get install -y x …",
    ),
    (
        "CopyBeforeInstall",
        "FROM a:1\nCOPY . .\nRUN pip install -r requirements.txt",
        2,
        "the whole context is copied before line 3 installs the dependencies",
        "COPY requirements.txt ./\nRUN pip install -r requirements.txt\nCOPY . .",
    ),
    ("CdInRun", "FROM a:1\nRUN cd /x && make", 2, "cd /x in RUN in place of WORKDIR", "WORKDIR /x\nRUN make"),
    ("CdInRun", "FROM a:1\nRUN cd /x", 2, "cd /x has no effect after its RUN", "WORKDIR /x"),
    ("AddForCopy", "FROM a:1\nADD a.txt /", 2, "ADD where COPY would do", "COPY a.txt /"),
    ("UnpinnedImage", "FROM a", 1, "a without a version is another image some day", "FROM a:VERSION"),
]


@pytest.mark.parametrize(("rule", "text", "line", "message", "better"), CASES)
def test_a_rule_tells_its_line_and_a_better_one(rule: str, text: str, line: int, message: str, better: str) -> None:
    [finding] = [each for each in found(text) if each.rule == rule]
    assert (finding.line, finding.message, finding.better) == (line, message, better)
    assert finding.why.endswith(".")


def test_every_rule_has_a_case() -> None:
    assert {rule for rule, *_ in CASES} == {rule.name for rule in RULES}


@pytest.mark.parametrize(
    "text",
    [
        'FROM a:1 AS build\nRUN make\nFROM scratch\nCOPY --from=build /x /x\nCMD ["/x"]',
        "ARG V=1\nFROM a:$V\nARG V\nENV x=$V y=${z:-none} w='$q' u=\\$q\nRUN echo $unknown",
        "FROM a:1\nENV a=$HOME_OF_IMAGE:$PATH\nWORKDIR /a\nWORKDIR b",
        "FROM a:1 AS one\nWORKDIR /a\nENV q=1\nFROM one\nWORKDIR b\nENV r=$q",
        "FROM a:1\nRUN --mount=type=cache,target=/var/lib/apt apt-get update && "
        "apt-get install -qq --no-install-recommends x",
        "FROM a:1\nRUN apt-get update && apt-get install -y --no-install-recommends x && rm -rf /var/lib/apt/lists/*",
        "FROM a:1\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .",
        'FROM a:1\nSHELL ["/bin/bash", "-c"]\nCMD echo a',
        "FROM a:1\nARG x\nADD https://x/y /\nADD x.tar.gz /\nADD $x /",
        "FROM a:1\nARG PUBLIC_KEY\nARG MONKEY\nENV KEYBOARD=1",
        "FROM scratch\nARG x\nCOPY <<E /x\n$x\nE",
        "from a:1 as b\nfrom b\nrun make",
        "FROM lab/busybox\nHEALTHCHECK CMD true",
        "FROM a:1 AS x\nFROM b:1\nRUN --mount=from=x,target=/x cat /x/y",
        "FROM a@sha256:" + "0" * 64,
    ],
)
def test_good_dockerfiles_are_let_alone(text: str) -> None:
    assert found(text) == []


def test_the_target_is_used() -> None:
    text = "FROM a:1 AS test\nFROM b:1"
    assert [each.rule for each in found(text)] == ["UnusedStage"] and found(text, "test") == []


def test_nothing_is_said_of_variables_where_nobody_knows_the_image() -> None:
    assert lint(parse("FROM a:1\nENV a=$b"), lambda image: None) == []


def test_rules_are_skipped_by_the_directive() -> None:
    text = "FROM a:1 as B\nMAINTAINER x\nCMD x"
    assert len(found(text)) == 4
    assert [each.rule for each in found(f"# check=skip=JSONArgsRecommended, fromascasing\n{text}")] == [
        "StageNameCasing",
        "MaintainerDeprecated",
    ]
    assert found(f"# check=skip=all\n{text}") == []


def test_a_lessons_dockerfile_is_clean_or_its_cell_shows_what_is_found() -> None:
    seen = 0
    for path in NOTEBOOKS.glob("*.ipynb"):
        for cell in json.loads(path.read_text())["cells"]:
            source = "".join(cell["source"])
            if source.startswith("%%dockerfile"):
                shown = json.dumps(cell["outputs"])
                assert [each.rule for each in found(source.split("\n", 1)[1]) if each.rule not in shown] == [], source
                seen += 1
    assert seen > 5


def test_a_build_tells_its_findings_once_before_its_steps(site: Site) -> None:
    built = site.build("FROM base\nRUN cd /x\nENV a=$PATH b=$nothing\n")
    [first] = [each["containerlab"] for each in built.messages if "lint" in each.get("containerlab", {})]
    assert built.messages[0] == {"containerlab": first}
    assert first["lint"]["file"] == "Dockerfile"
    assert [(each["rule"], each["line"]) for each in first["lint"]["findings"]] == [("CdInRun", 2), ("UndefinedVar", 3)]
    quiet = site.build("FROM base\nENV a=1\n")
    assert not any("lint" in each.get("containerlab", {}) for each in quiet.messages)


@pytest.mark.root
def test_error_true_makes_warnings_errors_and_leaves_advice(site: Site) -> None:
    built = site.build("# check=error=true\nFROM base\nCMD echo a\n")
    assert isinstance(built.error, DockerfileError) and built.messages == []
    assert "JSONArgsRecommended" in str(built.error) and built.error.line == 3
    site.build("# check=error=true;skip=JSONArgsRecommended\nFROM base\nCMD echo a\n").ok()
    site.build("# check=error=true\nFROM base\nADD Dockerfile /\n").ok()
