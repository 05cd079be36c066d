#!/usr/bin/env python3
"""tests/exercise/solve.py VITRINE NAME SEEDS -- solve an exercise as a student would.

For each seed the printed problem is read, worked out here (with none of the monitor's code),
and the answers are handed to `vitrine exercise NAME -s SEED a=... b=...`, which must call all of
them right, and an answer that was changed wrong.  The text is looked through for what no text
should have.
"""
import re
import subprocess
import sys

SOLVERS = {}


def solver(name):
    def keep(f):
        SOLVERS[name] = f
        return f
    return keep


def numbers(text):
    return [int(x, 0) for x in re.findall(r'0x[0-9a-f]+|\d+', text)]


def given(pattern, text):
    """The groups of the only place that matches; numbers become int."""
    m = re.search(pattern, ' '.join(text.split()))
    assert m, f'the text does not say {pattern}'
    return [int(g, 0) if re.fullmatch(r'0x[0-9a-f]+|\d+', g) else g for g in m.groups()]


def questions(text):
    """The questions by their letters, each on one line, without what can be chosen."""
    found = {}
    for m in re.finditer(r'^\(([a-z])\) (.*?)(?=^\([a-z]\) |^See: )', text, re.M | re.S):
        found[m[1]] = ' '.join(m[2].split())
    return found


# ---- layers ----

PLACES = ('Java|Common Language|WebAssembly|Python|Smalltalk', 'qemu-arm|Rosetta|FX!32|ECALL',
          'Dynamo|Valgrind|Wine', 'container|jail|zone', 'VM/370|KVM|Xen|VMware|engine kvm',
          'engine soft|gem5|qemu-system-riscv|Virtual PC|games console')


@solver('layers')
def layers(text):
    return [1 + next(i for i, p in enumerate(PLACES) if re.search(p, re.split(r' 1\. process| \(1 to', q)[0]))
            for q in questions(text).values()]


# ---- page walks ----

def walk(text, shifts, width, bytes_, nx):
    memory = {int(a, 16): int(e, 16) for a, e in re.findall(r'^ +(0x\w+):  (0x\w+)$', text, re.M)}
    cr3, = given(r'CR3 = (0x\w+)', text)
    who, what, gla = given(r'(ring \d),? (\w+)(?: an instruction)? at linear address (0x\w+)', text)
    user, write, fetch = who == 'ring 3', what == 'writes', what == 'fetches'
    table, first, depth = cr3, None, 0
    rights, used = 7, []
    for level, shift in enumerate(shifts):
        at = table + (gla >> shift & (1 << width[level]) - 1) * bytes_
        first, depth = at if first is None else first, depth + 1
        entry = memory[at]
        if not entry & 1:
            return [hex(first), depth, 2, hex(write << 1 | user << 2 | (fetch and nx) << 4)]
        pdpte = len(shifts) == 3 and level == 0
        if not pdpte:
            rights &= entry & 7 & ~(entry >> 63 & 1) | (0 if entry >> 63 else 1)
            used.append(entry)
        table = entry & 0xffffffffff000
        if level == len(shifts) - 1 or (entry >> 7 & 1 and level == len(shifts) - 2):
            break
    allowed = (not user or rights & 4) and (not write or rights & 2) and (not fetch or rights & 1)
    if not allowed:
        return [hex(first), depth, 2, hex(1 | write << 1 | user << 2 | (fetch and nx) << 4)]
    size = 1 << shift
    marked = sum(not e & 0x20 or (write and i == len(used) - 1 and not e & 0x40)
                 for i, e in enumerate(used))
    return [hex(first), depth, 1, hex(table & ~(size - 1) | gla & size - 1), marked]


@solver('walk-32')
def walk_32(text):
    return walk(text, (22, 12), (10, 10), 4, False)


@solver('walk-pae')
def walk_pae(text):
    return walk(text, (30, 21, 12), (2, 9, 9), 8, True)


@solver('walk-64')
def walk_64(text):
    return walk(text, (39, 30, 21, 12), (9, 9, 9, 9), 8, True)


# ---- interrupts and time ----

class Chip:
    """An 8259A in fully nested mode, edge-triggered."""

    def __init__(self, mask):
        self.mask, self.irr, self.isr = mask, 0, 0

    def offers(self):
        for line in range(8):
            if self.isr >> line & 1:
                return None
            if self.irr >> line & 1 and not self.mask >> line & 1:
                return line
        return None

    def take(self, line):
        self.irr &= ~(1 << line)
        self.isr |= 1 << line

    def eoi(self):
        self.isr &= self.isr - 1


@solver('pic')
def pic(text):
    base1, base2 = given(r'ICW2 is (0x\w+) for the first chip, (0x\w+) for the second', text)
    mask1, mask2 = given(r'are (0x\w+) and (0x\w+)\.', text)
    first, second, vectors, running = Chip(mask1), Chip(mask2), [], []
    for step in re.findall(r'^ +\d+\. (.*)$', text.split('This happens:')[1], re.M):
        m = re.fullmatch(r'line (\d+) rises', step)
        if m:
            line = int(m[1])
            (first if line < 8 else second).irr |= 1 << line % 8
        else:
            if running.pop() >= 8:
                second.eoi()
            first.eoi()
        while True:
            first.irr = first.irr & ~4 | (4 if second.offers() is not None else 0)
            line = first.offers()
            if line is None:
                break
            first.take(line)
            if line == 2:
                line = second.offers()
                second.take(line)
                line += 8
            vectors.append(f'0x{line + base1 if line < 8 else line - 8 + base2:02x}')
            running.append(line)
    return [' '.join(vectors), hex(first.isr), hex(second.isr), hex(first.irr), hex(second.irr)]


@solver('pit')
def pit(text):
    q = questions(text)
    hz, wanted = given(r'8254 is (\d+) Hz.*about (\d+) timer', text)
    count = min(range(1, 65537), key=lambda n: abs(hz / wanted - n))
    us, = given(r'latches it (\d+) us', q['d'])
    square, ticks = given(r'count of (\d+) instead, (\d+) ticks', q['e'])
    off_us, = given(r'off for (\d+) us', q['f'])
    rises = off_us * hz // 10**6 // count
    return [count, 1000 * hz // count, hex(count % 256), count - us * hz // 10**6 % count,
            'high' if ticks % square < square // 2 else 'low', max(rises - 1, 0)]


# ---- the frame ----

def exercise(vitrine, *args):
    return subprocess.run([vitrine, 'exercise', *args], capture_output=True, text=True)


def look_through(text):
    """Nothing of the making is left in it, and it fits on a page."""
    for bad in (r'%[a-z]', r'\(null\)', r'\bTODO\b', r'\bXX', r'\bnan\b', r'-\d+ bytes', r'\w \.(\s|$)',
                r'\b(\w{3,}) \1\b'):
        m = re.search(bad, re.sub(r'^    .*$', '', text, flags=re.M))
        assert not m, f'"{m[0]}" in the text'
    for line in text.splitlines():
        assert len(line) <= 96, f'a long line: {line}'


def check(vitrine, name, seed):
    text = exercise(vitrine, name, '-s', seed).stdout
    solution = exercise(vitrine, name, '-s', seed, '-c').stdout
    look_through(text)
    look_through(solution)
    assert 'Answer:' not in text
    parts = list(questions(text))
    answers = [str(a) for a in SOLVERS[name](text)]
    assert len(answers) == len(parts), f'{len(answers)} answers to {parts}'
    said = exercise(vitrine, name, '-s', seed, *[f'{p}={a}' for p, a in zip(parts, answers)])
    assert said.returncode == 0, f'{answers}\n{said.stdout}{said.stderr}{solution}'
    wrong = [f'{p}={a}1' for p, a in zip(parts, answers)]
    said = exercise(vitrine, name, '-s', seed, *wrong)
    assert 'right' not in said.stdout, f'{wrong}\n{said.stdout}'
    assert solution.count('    Answer: ') == len(parts)


def main():
    vitrine, name, seeds = sys.argv[1:4]
    for seed in range(1, int(seeds) + 1):
        try:
            check(vitrine, name, str(seed))
        except Exception as e:
            sys.exit(f'seed {seed}: {type(e).__name__} {e}')


main()
