"""The defaults of parameters, which `help()` prints in full."""

import ast
from pathlib import Path

SOURCES = ("proto", "node", "client", "certs")


def test_no_default_is_the_environment(root: Path) -> None:
    """No function shows the environment variables of the process, passwords among them, in its help."""
    files = [path for name in SOURCES for path in sorted((root / name).rglob("*.py"))]
    assert files
    found = [
        f"{path.relative_to(root)}:{default.lineno}"
        for path in files
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for default in (*function.args.defaults, *function.args.kw_defaults)
        if default is not None and "environ" in ast.unparse(default)
    ]
    assert found == []
