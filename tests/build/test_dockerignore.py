"""Docker's ignore rules: the documented behaviour of moby's pattern matcher, and the documentation's own examples."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containerlab.build.dockerignore import Dockerignore
from containerlab.build.glob import compile_pattern
from containerlab.errors import DockerfileError

VECTORS = [
    ("**", "file", True),
    ("**/", "file", True),
    ("**", "dir/file", True),
    ("**/**", "dir/file", True),
    ("dir/**", "dir/file", True),
    ("dir/**", "dir/dir2/file", True),
    ("dir/**", "dir", False),
    ("**/dir", "dir", True),
    ("**/dir", "dir/file", True),
    ("**/dir2/*", "dir/dir2/file", True),
    ("**/dir2/**", "dir/dir2/dir3/file", True),
    ("**file", "file", True),
    ("**file", "dir/file", True),
    ("**file", "dir/myfile", True),
    ("**/file", "dir/dir/file", True),
    ("**/file", "dir/myfile", False),
    ("**/file*", "dir/dir/file.txt", True),
    ("**/file*txt", "dir/dir/file.txt", True),
    ("**/file*.txt*", "dir/dir/file.txt", True),
    ("**/**/*.txt", "dir/dir/file.txt", True),
    ("**/**/*.txt2", "dir/dir/file.txt", False),
    ("**/*.txt", "file.txt", True),
    ("**/**/*.txt", "file.txt", True),
    ("a**/*.txt", "a/file.txt", True),
    ("a**/*.txt", "a/dir/dir/file.txt", True),
    ("a/*.txt", "a/dir/file.txt", False),
    ("a/*.txt", "a/file.txt", True),
    ("a/*.txt**", "a/file.txt", True),
    ("a[b-d]e", "ae", False),
    ("a[b-d]e", "ace", True),
    ("a[b-d]e", "aae", False),
    ("a[^b-d]e", "aze", True),
    (".*", ".foo", True),
    (".*", "foo", False),
    ("abc.def", "abcZdef", False),
    ("abc?def", "abcZdef", True),
    ("abc?def", "abcdef", False),
    ("a\\\\", "a\\", True),
    ("**/foo/bar", "foo/bar", True),
    ("**/foo/bar", "dir/dir2/foo/bar", True),
    ("abc/**", "abc/def/ghi", True),
    ("**/.foo", "bar.foo", False),
    ("a(b)c/def", "a(b)c/def", True),
    ("a.|)$(}+{bc", "a.|)$(}+{bc", True),
    ("dist/*.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", True),
    ("a\\*b", "a*b", True),
    ("a\\*b", "ab", False),
    ("*", "abc", True),
    ("a*", "ab/c", True),
    ("a*/b", "abc/b", True),
    ("a*/b", "a/c/b", False),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/f", True),
    ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", False),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", False),
    ("a*b?c*x", "abxbbxdbxebxczzx", True),
    ("a*b?c*x", "abxbbxdbxebxczzy", False),
    ("ab[^c]", "abc", False),
    ("a?b", "a☺b", True),
    ("a???b", "a☺b", False),
    ("[a-ζ]*", "α", True),
    ("*[a-ζ]", "A", False),
    ("a?b", "a/b", False),
    ("a*b", "a/b", False),
    ("[\\]a]", "]", True),
    ("[\\-]", "-", True),
    ("[x\\-]", "z", False),
    ("[\\-x]", "-", True),
    ("*x", "xxx", True),
    # The documentation's own examples.
    ("*/temp*", "somedir/temporary.txt", True),
    ("*/temp*", "somedir/subdir/temporary.txt", False),
    ("*/*/temp*", "somedir/subdir/temporary.txt", True),
    ("temp?", "tempa", True),
    ("foo.txt", "sub/foo.txt", False),
    ("node_modules", "sub/node_modules/x", False),
    ("/foo/bar", "foo/bar", True),
    ("foo/", "foo/bar", True),
    ("./foo", "foo", True),
    ("a/../b", "b", True),
]


@pytest.mark.parametrize(("pattern", "path", "excluded"), VECTORS)
def test_a_pattern_excludes_what_dockers_matcher_excludes(pattern: str, path: str, excluded: bool) -> None:
    assert Dockerignore.parse(pattern.encode()).excludes(path) is excluded


@pytest.mark.parametrize(
    ("lines", "path", "excluded"),
    [
        (["!fileutils.go", "*.go"], "fileutils.go", True),
        (["*.go", "!fileutils.go"], "fileutils.go", False),
        (["docs", "!docs/README.md"], "docs/README.md", False),
        (["docs/", "!docs/README.md"], "docs/other.md", True),
        (["docs/*", "!docs/README.md"], "docs/README.md", False),
        (["**", "!util/docker/web"], "util/docker/web/foo", False),
        (["**", "!util/docker/web", "util/docker/web/foo"], "util/docker/web/foo", True),
        (["*", "!**/*.py"], "sub/a.py", False),
        (["*", "!**/*.py"], "sub/a.txt", True),
        (["*.md", "!README*.md", "README-secret.md"], "README-secret.md", True),
        (["*.md", "README-secret.md", "!README*.md"], "README-secret.md", False),
        (["  !a  ", "# comment", "", " a "], "a", True),
        (["#a"], "#a", False),
        (["a", "! /a/b"], "a/b", False),
    ],
)
def test_the_last_pattern_that_matches_decides(lines: list[str], path: str, excluded: bool) -> None:
    assert Dockerignore.parse("\n".join(lines).encode()).excludes(path) is excluded


@pytest.mark.parametrize(
    "pattern", ["[", "a[", "[^", "[^bc", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "\\", "!", "[b-a]"]
)
def test_a_bad_pattern_is_refused_with_its_line(pattern: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        Dockerignore.parse(f"ok\n{pattern}\n".encode())
    assert (caught.value.file, caught.value.line) == (".dockerignore", 2)


@pytest.mark.parametrize(
    ("lines", "directory", "may"),
    [
        (["docs"], "docs", False),
        (["docs", "!docs/a"], "docs", True),
        (["docs", "!other/a"], "docs", False),
        (["*", "!**/*.py"], "deep/er", True),
        (["a", "!a*"], "a", True),
        (["a/b", "!a/x"], "a/b", False),
    ],
)
def test_a_directory_is_skipped_only_when_nothing_in_it_can_come_back(
    lines: list[str], directory: str, may: bool
) -> None:
    assert Dockerignore.parse("\n".join(lines).encode()).may_include_below(directory) is may


def test_many_stars_take_no_exponential_time() -> None:
    start = time.monotonic()
    assert compile_pattern("a*" * 40 + "b").fullmatch("a" * 3000) is None
    assert compile_pattern("**/a*/" * 8 + "b", double_star=True).fullmatch("a/" * 30 + "c") is None
    assert time.monotonic() - start < 2


def _matches(pattern: str, text: str) -> bool:
    """Stars and question marks by plain backtracking: slow, and plainly right."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return _matches(pattern[1:], text) or (text[:1] not in ("", "/") and _matches(pattern, text[1:]))
    if not text or (pattern[0] == "?" and text[0] == "/"):
        return False
    return pattern[0] in ("?", text[0]) and _matches(pattern[1:], text[1:])


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="ab*?/", max_size=8), st.text(alphabet="ab/", max_size=10))
def test_stars_match_as_plain_backtracking_does(pattern: str, text: str) -> None:
    assert (compile_pattern(pattern).fullmatch(text) is not None) is _matches(pattern, text)
