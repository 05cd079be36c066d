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


# ---- Popek and Goldberg ----

INNOCUOUS = ('add', 'mov %eax, 0x', 'lea', 'push %eax', 'imul', 'xchg', 'lahf', 'std')
SENSITIVE_17 = ('sgdt', 'sidt', 'sldt', 'smsw', 'str', 'pushf', 'popf', 'lar', 'lsl', 'verr',
                'mov %cs', 'push %cs')
UMIP = ('sgdt', 'sidt', 'sldt', 'smsw', 'str')


@solver('classify')
def classify(text):
    parts = [q for q in questions(text).values() if not q.startswith('How many')]
    first_word = lambda q, words: any(q.startswith(w + ('' if ' ' in w else ' ')) for w in words)
    classes = [1 if first_word(q, INNOCUOUS) else 3 if first_word(q, SENSITIVE_17) else 2 for q in parts]
    return classes + [sum(first_word(q, UMIP) for q in parts), classes.count(3)]


@solver('theorem')
def theorem(text):
    traps, sensitive, in_user = set(), set(), set()
    for letter, trap, what in re.findall(r'^ +([A-F])  (\(traps in user mode\) )?(.*)$', text, re.M):
        if trap:
            traps.add(letter)
        if re.search('relocation register|mode bit|flags|disk|physical|stops|user mode and', what):
            sensitive.add(letter)
            if not re.search('it only jumps', what):
                in_user.add(letter)
    said = lambda letters: ' '.join(sorted(letters)) or 'none'
    return [said(traps), said(sensitive), 'yes' if sensitive <= traps else 'no',
            said(sensitive - traps), 'yes' if in_user <= traps else 'no']


@solver('counterexample')
def counterexample(text):
    virtual_if = flags = 1
    bare, monitor, traps = {'esi': 0}, {'esi': 0}, []
    for n, line in re.findall(r'^ +(\d)\. (.*)$', text, re.M):
        if line in ('cli', 'sti'):
            traps.append(n)
            virtual_if = flags = int(line == 'sti')
        elif 'popf' in line:
            flags = int('0x202' in line)
        elif 'pushf' in line:
            bare['eax'], monitor['eax'] = 2 | flags << 9, 0x202
        elif 'cr0' in line:
            traps.append(n)
            bare['ebx'] = monitor['ebx'] = 0x11
        elif 'cs' in line:
            bare['ecx'], monitor['ecx'] = 0x8, 0xb
        elif 'smsw' in line:
            bare['edx'], monitor['edx'] = 0x11, 0x33
    differ = [r for r in sorted(bare) if bare[r] != monitor[r]]
    return [' '.join(traps) or 'none', flags, virtual_if, hex(bare.get('eax', 0)),
            hex(monitor.get('eax', 0)), ' '.join(differ) or 'none',
            1 if differ or flags != virtual_if else 4]


@solver('map')
def virtual_map(text):
    size, at = given(r'virtual machine of (\d+) words, .* from word (\d+) on', text)
    getr, getm = [m == 'traps' for m in re.findall(r'^ +GET[RM] .*; (traps|does not trap)', text, re.M)]
    base, bound, memory = 0, 100, {}
    a, b, trapped, written, broken = 0, 0, 0, None, 0         # A on the bare machine, and under the monitor
    for n, op, arg in re.findall(r'^ +(\d)\. ([A-Z]+) ?(.*)$', text, re.M):
        arg = numbers(arg)
        if op == 'LOAD':
            a, b = memory.get(base + arg[0], (0, 0))
        elif op == 'STORE':
            memory[base + arg[0]] = a, b
            written = at + base + arg[0]
        elif op == 'ADD':
            a, b = a + arg[0], b + arg[0]
        elif op == 'SETR':
            base, bound = arg
            trapped += 1
        elif op == 'GETR':
            a, b, trapped = base, base if getr else at + base, trapped + getr
        elif op == 'GETM':
            a, b, trapped = 0, 0 if getm else 1, trapped + getm
        if not broken and a != b:
            broken = int(n)
    return [trapped, written, at + base, min(bound, size - base), a, b, broken]


# ---- one program on four machines ----

def listing(text, after):
    """{place: [word, ...]} of the lines behind a sentence; places as they are written."""
    block = re.match(r'.*?\n\n(.*?)\n\n', text[text.index(after):], re.S)[1]
    return {m[1]: m[2].replace(',', ' ').split()
            for m in re.finditer(r'^ +(\w+):  (.*)$', block, re.M)}


OPERATORS = {'add': lambda a, b: a + b, 'sub': lambda a, b: a - b, 'xor': lambda a, b: a ^ b,
             'mul': lambda a, b: a * b, 'imul': lambda a, b: a * b, 'and': lambda a, b: a & b}


def run_bytecode(code):
    costs = {'PUSH': 1, 'LOAD': 1, 'STORE': 1, 'MUL': 3, 'JZ': 6, 'JNZ': 6, 'JMP': 2, 'HALT': 3}
    places, at, stack, var = list(code), 0, [], {}
    executed = cost = entered = 0
    begun, begins = set(), True
    while True:
        op, *arg = code[places[at]]
        if begins:
            entered += 1
            begun.add(at)
        begins = op in ('JZ', 'JNZ', 'JMP')
        at, executed, cost = at + 1, executed + 1, cost + costs.get(op, 2)
        if op == 'PUSH':
            stack.append(int(arg[0]))
        elif op == 'LOAD':
            stack.append(var[arg[0]])
        elif op == 'STORE':
            var[arg[0]] = stack.pop()
        elif op == 'HALT':
            return stack.pop(), executed, len(begun), entered, cost
        elif op == 'JMP' or op in ('JZ', 'JNZ') and (stack.pop() == 0) == (op == 'JZ'):
            at = int(arg[0])
        elif op not in ('JZ', 'JNZ'):
            b = stack.pop()
            stack.append(OPERATORS[op.lower()](stack.pop(), b) % 2**32)


def run_rv32(code):
    places, at, reg, executed = list(code), 0, {'zero': 0}, 0
    value = lambda w: reg[w] if w in reg else int(w, 0)
    while True:
        op, *arg = code[places[at]]
        at, executed = at + 1, executed + 1
        if op == 'ecall' and reg['a7'] == 93:
            return reg['s0'], executed
        if op == 'jal' or op in ('beq', 'bne') and (value(arg[0]) == value(arg[1])) == (op == 'beq'):
            at = places.index(arg[-1])
        elif op.rstrip('i') in OPERATORS:
            reg[arg[0]] = OPERATORS[op.rstrip('i')](value(arg[1]), value(arg[2])) % 2**32
        elif op == 'lui':
            reg[arg[0]] = int(arg[1], 0) << 12


def run_pc(code):
    places, at, reg, executed, exits, out = list(code), 0, {}, 0, 0, []
    zero = False
    value = lambda w: int(w[1:], 0) if w[0] == '$' else reg[w]
    while True:
        op, *arg = code[places[at]]
        at, executed = at + 1, executed + 1
        exits += op in ('out', 'hlt')
        if op == 'hlt':
            return int.from_bytes(bytes(out), 'little'), executed, exits
        if op == 'out':
            out.append(reg['%eax'] % 256)
        elif op == 'mov':
            reg[arg[1]] = value(arg[0])
        elif op == 'test':
            zero = reg['%ecx'] % 2 == 0
        elif op == 'dec':
            reg[arg[0]] -= 1
            zero = reg[arg[0]] == 0
        elif op == 'shr':
            reg[arg[1]] >>= value(arg[0])
        elif op in OPERATORS:
            reg[arg[1]] = OPERATORS[op](reg[arg[1]], value(arg[0])) % 2**32
        elif op == 'jmp' or op == 'jz' and zero or op == 'jnz' and not zero:
            at = places.index(arg[0])


@solver('process-vm')
def process_vm(text):
    x, executed, blocks, entered, cost = run_bytecode(listing(text, 'As bytecode'))
    foreign, insns = run_rv32(listing(text, 'As a RISC-V program'))
    guest, retired, exits = run_pc(listing(text, 'As all the software of a PC'))
    assert x == foreign == guest, (x, foreign, guest)
    return [x, executed, blocks, entered, cost, insns, retired, exits, 2, 3]


# ---- exits of a program in real mode ----

@solver('exits')
def exits(text):
    code = listing(text, 'This is all the software')
    places, at, reg, zero = list(code), 0, {'%sp': 0x8000}, False
    touched, ports, cpuids, nothing = set(), 0, 0, 0

    def touch(address):
        nonlocal nothing
        if 0xd0000 <= address < 0xe0000:
            nothing += 1
        else:
            touched.add(address >> 12)
    value = lambda w: int(w[1:], 0) if w[0] == '$' else reg[w]
    while True:
        touch(int(places[at], 16))
        op, *arg = code[places[at]]
        at += 1
        if op == 'hlt':
            return [ports, cpuids, len(touched), nothing, ports + cpuids + len(touched) + nothing + 1,
                    ports + cpuids + nothing + 1]
        if op == 'out':
            ports += 1
        elif op == 'rep':
            ports += reg['%cx']
            for i in range(reg['%cx']):
                touch(reg['%si'] + i)
        elif op == 'cpuid':
            cpuids += 1
        elif op == 'mov' and '(' in arg[1]:
            touch((16 * reg['%es'] if '%es' in arg[1] else 0) + reg[re.search(r'\((%\w+)\)', arg[1])[1]])
        elif op == 'mov':
            reg[arg[1]] = value(arg[0]) if arg[0] in reg or arg[0][0] == '$' else None
        elif op == 'add':
            reg[arg[1]] += value(arg[0])
        elif op in ('pushf', 'popf'):
            touch(0x7ffe)
        elif op == 'dec':
            reg[arg[0]] -= 1
            zero = reg[arg[0]] == 0
        elif op == 'loop':
            reg['%cx'] -= 1
            if reg['%cx']:
                at = places.index(arg[0])
        elif op == 'jnz' and not zero:
            at = places.index(arg[0])
        else:
            assert op in ('jnz', 'xor', 'cli', 'rdtsc'), op


# ---- a trace ----

@solver('trace')
def trace(text):
    rows = [r.split(None, 1) for r in re.findall(r'^ +(\d+ +\d+ [0-9a-f]{4} .*)$', text, re.M)]
    events = {}
    for seq, rest in rows:
        m = re.fullmatch(r'(\d+) \w{4} +(\d*) +([A-Z_]+) +(.*)', rest)
        events[int(seq)] = int(m[1]), int(m[2] or 0), m[3], m[4]
    last = lambda kind, what='': max(n for n, e in events.items() if e[2] == kind and what in e[3])
    rise, inject, deliver = last('IRQ_LINE', 'level 1'), last('INJECT'), last('DELIVER')
    between = [' '.join(events[n][2:]) for n in sorted(events) if rise < n < inject]
    armed = last('IO_WRITE', 'port 0x40')
    asleep = any('HLT' in events[n][3] for n in events if armed < n < rise)
    why = (2 if any('IRQ_EOI' in b for b in between) else 3 if any('port 0x21' in b for b in between)
           else 4 if asleep else 1 if any('IRQ_WINDOW' in b for b in between) else 5)
    chain = inject
    while events[chain][1] in events:
        chain = events[chain][1]
    exits = [e[3] for e in events.values() if e[2] == 'EXIT']
    return [rise, events[deliver][0] - events[rise][0], why, chain, len(exits),
            sum(re.match('IO |HLT', e) is not None for e in exits)]


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


@solver('walk-2d')
def walk_2d(text):
    mode, page, nested = given(r'A guest uses (32-bit|PAE|4-level) .* maps an address by a (\w+) .* by '
                               r'pages of (4 KiB|2 MiB)', text)
    k, = given(r'number (\d+) \(from 1\)', text)
    guest = {'32-bit': 2, 'PAE': 3, '4-level': 4}[mode]
    walked = guest - (page == 'large')

    def references(nested):
        one = [0] * (4 if nested == '4 KiB' else 3)
        return [r for level in range(walked) for r in one + [guest - level]] + one
    other = '2 MiB' if nested == '4 KiB' else '4 KiB'
    return [len(references(nested)), references(nested)[k - 1], len(references(other)), 4]


# ---- shadow tables ----

@solver('shadow')
def shadow(text):
    entry = {int(a, 16): int(e, 16) for a, e in re.findall(r'^ +(0x\w+):  (0x\w+)$', text, re.M)}
    made, mapped, protected, unsync, words, exits, stale = {}, False, False, False, [], 0, 0
    for step, what in re.findall(r'^ +(\d+)\. (.*)$', text, re.M):
        word, n = None, numbers(what)
        if 'INVLPG' in what:
            exits += 1
            if unsync:
                made.pop(n[0], None)
        elif 'CR3' in what:
            exits += 1
            if unsync:
                made, unsync, protected = {}, False, False
        elif 'entry of' in what:
            if protected:
                word, protected, unsync = 'table', False, True
            else:
                word = 'hit' if mapped else 'fill'
            mapped, entry[n[1]] = True, n[0]
        else:
            at, write = n[0], what.startswith('write')
            frame, writable = made.get(at, (None, False))
            e = entry[at]
            allowed = e & 1 and (e & 2 or not write)
            if frame is not None and (writable or not write):
                word = 'hit'
                if not allowed or e & ~0xfff != frame:
                    stale = int(step)
            elif not allowed:
                word = 'true'
            else:
                word = 'fill'
                entry[at] = e = e | 0x20 | (0x40 if write else 0)
                made[at] = e & ~0xfff, e & 0x42 == 0x42
                protected = not unsync
        if word:
            words.append(word)
            exits += word != 'hit'
    return [' '.join(words), stale, exits, 0]


@solver('ept-saves')
def ept_saves(text):
    rounds, = given(r'does (\d+) rounds', text)
    loads, = given(r'same value, (\d+) times', text)
    pages, = given(r'each of (\d+) pages of data', text)
    changed, = given(r'of (\d+) of these pages', text)
    faults, = given(r'There were (\d+) page faults', text)
    cost, reference = given(r'exit costs (\d+) ns\. .* reference takes (\d+) ns', text)
    registers = rounds * loads + 2
    shadow, nested = registers + rounds * changed + faults + 1, 3 + pages + 1
    saved = (shadow - nested) * cost
    return [registers, shadow, nested, saved, (2 + 1) * (4 + 1) - 1 - 4, saved // (10 * reference)]


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


# ---- a host that many guests share ----

@solver('disk')
def disk(text):
    heads, sectors, header = given(r'has (\d+) heads and (\d+) sectors .* first (\d+) bytes', text)
    c, h, sector = given(r'cylinder (\d+), head (\d+), sector (\d+)', text)
    at, = given(r'offset (\d+) of the file', text)
    order = [(a, b) for a in range(c + 1) for b in range(heads)]
    lba = order.index((c, h)) * sectors + sector - 1
    track, rest = divmod((at - header) // 512, sectors)
    return [lba, header + 512 * lba, track // heads, track % heads, rest + 1]


@solver('stride')
def stride(text):
    from fractions import Fraction
    a, b, c = given(r'A has (\d+) tickets, B (\d+), C (\d+)', text)
    had, order = {'A': 0, 'B': 0, 'C': 0}, []
    share = dict(A=a, B=b, C=c)
    for _ in range(10):         # who has had least for its tickets
        order.append(min('ABC', key=lambda x: (Fraction(had[x], share[x]), x)))
        had[order[-1]] += 1
    return [' '.join(order), had['A'], 1000 * a // (a + b + c), 1000 * a // (a + b)]


@solver('credit')
def credit(text):
    weight = dict(zip('ABC', given(r'weights are (\d+), (\d+) and (\d+)', text)))
    sleeps, wakes = given(r'to sleep before tick (\d+) and wakes before tick (\d+)', text)
    queue, have, order, boosted = list('ABC'), dict(A=0, B=0, C=0), [], None
    for tick in range(12):
        if tick == sleeps:
            queue.remove('C')
        if tick == wakes:
            boosted = have['C'] > 0
            queue = ['C'] + queue if boosted else queue + ['C']
        if tick % 3 == 0:
            have |= {x: min(300, have[x] + 300 * weight[x] // sum(weight[y] for y in queue)) for x in queue}
        x = next((x for x in queue if have[x] > 0), queue[0])
        have[x] -= 100
        queue = [y for y in queue if y != x] + [x]
        order.append(x)
    return [' '.join(order), 'yes' if boosted else 'no', order[wakes:].index('C'),
            1000 * weight['A'] // sum(weight.values()), 800 * weight['B'] // (weight['B'] + weight['C'])]


@solver('qos')
def qos(text):
    from fractions import Fraction
    from math import floor
    mhz, = given(r'has (\d+) MHz', text)
    rows = [tuple(map(int, r)) for r in re.findall(r'^ +[ABC] +(\d+) +(\d+) +(\d+) +(\d+)$', text, re.M)]
    new, = given(r'reservation of (\d+) MHz', text)
    gets = lambda p, row: max(min(row[1], row[3]), min(p * row[0], row[2], row[3]))
    turns = sorted({Fraction(f(row), row[0]) for row in rows
                    for f in (lambda r: min(r[1], r[3]), lambda r: min(r[2], r[3]))} | {Fraction(0)})
    for low, high in zip(turns, turns[1:]):     # between two turns all is linear in the price
        a, b = (sum(gets(p, row) for row in rows) for p in (low, high))
        if a <= mhz <= b and a < b:
            price = low + (high - low) * Fraction(mhz - a, b - a)
    return [floor(gets(price, row)) for row in rows] + \
        ['yes' if sum(row[1] for row in rows) + new <= mhz else 'no']


@solver('consolidate')
def consolidate(text):
    from fractions import Fraction
    from math import ceil, floor
    n, load = given(r'(\d+) servers are busy (\d+) %', text)
    overhead, most = given(r'adds (\d+) % .* busier than (\d+) %', text)
    idle, busy = given(r'takes (\d+) W .* (\d+) W when', text)
    work = n * Fraction(load, 100) * Fraction(100 + overhead, 100)
    hosts = ceil(work / Fraction(most, 100))
    return [hosts, floor(100 * work / hosts), floor(n * (idle + Fraction(load, 100) * (busy - idle))),
            floor(hosts * idle + work * (busy - idle))]


@solver('precopy')
def precopy(text):
    pages, = given(r'A guest of (\d+) pages', text)
    bandwidth, rate = given(r'carries (\d+) pages .* writes to (\d+) different', text)
    stop, = given(r'at most (\d+) pages are left', text)
    rounds = [pages]
    while rounds[-1] > stop:
        rounds.append(rounds[-1] * rate // bandwidth)
    return [len(rounds) - 1, rounds[-1], rounds[-1] * 10**6 // bandwidth, sum(rounds)]


@solver('balloon')
def balloon(text):
    host, own = given(r'has (\d+) MiB, of which the monitor needs (\d+)', text)
    promised = given(r'promised (\d+), (\d+) and (\d+)', text)
    used = given(r'use (\d+), (\d+) and (\d+)', text)
    over = max(0, sum(promised) + own - host)
    return [100 * sum(promised) // (host - own), over,
            max(0, over - sum(promised) + sum(used))]


@solver('storm')
def storm(text):
    handler, exits, cost = given(r'takes (\d+) ns, and each interrupt costs (\d+) exits of (\d+) ns', text)
    work, = given(r'takes (\d+) ns of work', text)
    arrive, = given(r'(\d+) packets a second arrive', text)
    batch, = given(r'one interrupt for (\d+) packets', text)
    each = handler + exits * cost
    return [10**9 // (each + work), 100 * exits * cost // (each + work),
            'yes' if 10**9 // arrive < each else 'no', batch * 10**9 // (each + batch * work)]


# ---- the frame ----

def exercise(vitrine, *args):
    return subprocess.run([vitrine, 'exercise', *args], capture_output=True, text=True)


def look_through(text):
    """Nothing of the making is left in it, and it fits on a page."""
    for bad in (r'%([sdux]|ll[dux]|zu|\d+[sdux])\b', r'PRI[dux]\d', r'\(null\)', r'\bTODO\b', r'\bXX', r'\bnan\b', r'-\d+ bytes', r'\w \.(\s|$)',
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
