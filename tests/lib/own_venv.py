"""A virtual environment of a suite's own, made when it is first needed."""
import os
import shutil
import subprocess
import sys


def enter(requirements, folder):
    """Goes on in one in `folder` that has what the file `requirements` names."""
    python = os.path.join(folder, "bin", "python3")
    if os.path.realpath(sys.prefix) == os.path.realpath(folder):
        return
    with open(requirements, encoding="utf-8") as file:
        wanted = file.read()
    mark = os.path.join(folder, "requirements.txt")
    if not os.path.exists(mark) or open(mark, encoding="utf-8").read() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements], check=True)
        shutil.copy(requirements, mark)
    os.execv(python, [python, os.path.abspath(sys.argv[0]), *sys.argv[1:]])
