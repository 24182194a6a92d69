"""Unpacks chosen members of wheels: unpack.py WHEEL_FOLDER INTO PREFIX=TARGET ..."""

import pathlib
import shutil
import sys
import zipfile

wheels, into, *rules = sys.argv[1:]
rules = [rule.split("=", 1) for rule in rules]
unused = {prefix for prefix, _ in rules}

for wheel in sorted(pathlib.Path(wheels).glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            rule = next((r for r in rules if member.filename.startswith(r[0])), None)
            if rule is None or member.is_dir():
                continue
            prefix, target = rule
            unused.discard(prefix)
            path = pathlib.Path(into, target + member.filename[len(prefix) :])
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, open(path, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)  # checks the member's CRC at its end
            if member.external_attr >> 16 & 0o111:
                path.chmod(0o755)

if unused:
    sys.exit("not found in the wheels: " + ", ".join(sorted(unused)))
