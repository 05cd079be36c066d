#!/usr/bin/env python3
"""tests/exercise/gift.py VITRINE -- is what `vitrine exercise --gift` prints GIFT?

Reads it as a learning platform does: questions are divided by empty lines; a backslash takes
the meaning from the sign behind it; {...} holds the answers, #### begins the feedback.
"""
import re
import subprocess
import sys

text = subprocess.run([sys.argv[1], 'exercise', '--gift', '-s', '3', '-n', '2'],
                      capture_output=True, text=True, check=True).stdout
sheets = subprocess.run([sys.argv[1], 'exercise', 'list'], capture_output=True, text=True).stdout
names, questions, categories = set(), 0, set()
for block in text.strip().split('\n\n'):
    if block.startswith('$CATEGORY: '):
        categories.add(block)
        continue
    plain = re.sub(r'\\[~=#{}:\\n]', lambda m: '\0', block)      # what is escaped means nothing
    m = re.fullmatch(r'::([^:]+)::\[html\]([^{}~=#:]+)\{([^{}]*)\}', plain)
    assert m, f'no question:\n{block}'
    assert m[1] not in names, f'twice: {m[1]}'
    names.add(m[1])
    answers, feedback = m[3].split('####')
    assert len(re.sub('<[^>]*>', '', feedback)) > 10, f'no way to the answer:\n{block}'
    assert not set('~=#{}') & set(feedback), feedback
    if answers.startswith('#'):
        assert re.fullmatch(r'#\d+', answers), answers
    else:
        assert answers.count('=') >= 1, answers
        each = [a.strip() for a in re.split('[=~]', answers)[1:]]
        assert all(each), f'an empty answer: {answers}'
        words = set(' '.join(re.split('[, ]+', a)) for a in each if not a.startswith('0x'))
        if '~' not in answers and len(words) == 1 and ' ' in min(words):
            assert len(each) == 3, f'words that may be written in one way only: {answers}'
        if '~' in answers:
            assert answers.count('=') == 1, answers
            assert len(set(each)) == len(each), f'two choices are the same: {answers}'
    for tag in ('p', 'pre', 'b'):
        assert block.count(f'<{tag}>') == block.count(f'</{tag}>'), block
    questions += 1
assert len(categories) == len(sheets.splitlines()), categories
assert questions >= 2 * len(sheets.splitlines()), questions
