# `make` in a lab's folder: start, check, grade, explain, try of this lab, and `make` alone checks what
# is there, or begins.  Your file is FILE (default: the name in `vitrine lab check`), in this folder.
#   make            make grade SEED=4711 FLAGS="--json results.json"            make FILE=~/mine.c
.DEFAULT_GOAL := all
root    := ../..
VITRINE ?= $(root)/build/vitrine
N       := $(shell basename "$$PWD" | cut -d- -f1)
part    := $(notdir $(shell sed -n 's/^cut //p' lab))
called  := $(shell sed -n 's/^called //p' lab)
FILE    ?= $(or $(called),$(part),answers.txt)
SEED    ?= 1
FLAGS   ?=

all:
	@if [ -e "$(FILE)" ]; then $(MAKE) --no-print-directory check; else $(MAKE) --no-print-directory start; fi
start: ; @$(VITRINE) lab start $(N) "$(FILE)"
check: ; @$(VITRINE) lab check $(N) "$(FILE)" --seed $(SEED) $(FLAGS)
grade: ; @$(VITRINE) lab grade $(N) "$(FILE)" --seed $(SEED) $(FLAGS)
explain: ; @$(VITRINE) lab explain $(N)
try: ; @$(VITRINE) lab try $(N)
.PHONY: all start check grade explain try
