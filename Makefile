# SPDX-License-Identifier: GPL-2.0-only
#
# make            tcctl, libtcctl.so and .a, every BPF object, skeletons
# make demo       install what is missing, build, run the main job in throw-away namespaces
# make test       install what is missing, build, run every test layer this machine can
# make check      the tests that need no root
# make bench      measure side by side with the alternatives, write docs/benchmarks.md
# make install    DESTDIR=… PREFIX=/usr
#
# V=1 shows commands, SAN=1 builds with ASan and UBSan (in build-san/), T=<layer/test> runs one test,
# WERROR=0 lets warnings pass.

VERSION := 0.1.0
SONAME := 0
PREFIX ?= /usr
LIBDIR ?= $(PREFIX)/lib
SAN ?=
V ?=
WERROR ?= 1
T ?=

B := build$(if $(SAN),-san)
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-8s %s\n' $(1) $(2))

CLANG ?= clang
# Distributions have it with the version behind it, too; where there is none, make shall say which program it misses.
LLVM_OBJCOPY ?= $(firstword $(shell command -v llvm-objcopy || for v in $$(seq 30 -1 11); do command -v llvm-objcopy-$$v && break; done) \
	llvm-objcopy)
BPFTOOL ?= $(shell command -v bpftool 2>/dev/null || echo /usr/sbin/bpftool)
PKGS := libbpf libmnl libcap yaml-0.1 json-c
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
	-Wformat=2 -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror)
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DTCCTL_VERSION='"$(VERSION)"' -fPIC -fvisibility=hidden $(WARN) \
	-Ilib -Ibpf-progs/include -I$(B)/skel $(PKG_CFLAGS) $(if $(SAN),-fsanitize=address$(comma)undefined \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer) $(CFLAGS)
comma := ,
ALL_LDFLAGS = $(if $(SAN),-fsanitize=address$(comma)undefined) $(LDFLAGS)

# --- BPF objects -------------------------------------------------------------------------------------
BPF_TARGET ?= bpf
# mcpu v2, without 32-bit registers: v3 puts 4-byte values into stack slots that held 8-byte ones, and kernels refuse
# that to programs loaded without CAP_PERFMON (6.1: always, 6.18: over pointers). It costs no measurable time.
BPF_CFLAGS = -g -O2 -std=gnu11 -MMD -MP -target $(BPF_TARGET) -mcpu=v2 -Wall -Wextra -Wno-unused-parameter -Werror \
	-Ibpf-progs/include $(BPF_SYSINC)
BPF_SYSINC = -I/usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)
BPF_SRC := $(wildcard bpf-progs/*.bpf.c)
BPF_OBJ := $(BPF_SRC:bpf-progs/%.bpf.c=$(B)/bpf/%.bpf.o)
# act.bpf.o is SCHED_ACT and stands alone; everything else is linked into one pipeline object, compiled without the
# code that programs attached alone need, and without those that another one stands in for there. alone.bpf.o is the same with
# all that, for tests.
ALONE_OBJ := $(filter-out $(B)/bpf/act.bpf.o,$(BPF_OBJ))
ALONE_ONLY := ah esp icmpv6
PIPELINE_OBJ := $(patsubst $(B)/bpf/%,$(B)/bpf/pipeline/%,$(filter-out $(ALONE_ONLY:%=$(B)/bpf/%.bpf.o),$(ALONE_OBJ)))
SKEL := $(B)/skel/pipeline.skel.h $(B)/skel/alone.skel.h

# --- library, tool, tests ----------------------------------------------------------------------------
LIB_SRC := $(wildcard lib/*.c lib/*/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o)
TOOL_SRC := $(wildcard tcctl/*.c)
TOOL_OBJ := $(TOOL_SRC:tcctl/%.c=$(B)/tool/%.o) # not below $(B)/tcctl: that is the program
TEST_LIB_SRC := $(wildcard qdisc-tests/lib/*.c)
TEST_LIB_OBJ := $(TEST_LIB_SRC:%.c=$(B)/%.o)
TEST_BIN := $(patsubst qdisc-tests/%.c,$(B)/tests/%,$(wildcard qdisc-tests/unit/*.c qdisc-tests/prog/*.c))
TOOLS_BIN := $(patsubst qdisc-tests/tools/%.c,$(B)/tests/tools/%,$(wildcard qdisc-tests/tools/*.c))
TOOLS_LIB_OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out %.bpf.c,$(wildcard qdisc-tests/tools/*/*.c)))
TEST_BPF := $(patsubst qdisc-tests/%.bpf.c,$(B)/tests/%.bpf.o,$(wildcard qdisc-tests/*/*.bpf.c)) \
	$(patsubst examples/%.bpf.c,$(B)/examples/%.bpf.o,$(wildcard examples/*.bpf.c examples/*/*.bpf.c))
BENCH_BIN := $(patsubst qdisc-tests/bench/%.c,$(B)/bench/%,$(filter-out %.bpf.c,$(wildcard qdisc-tests/bench/*.c)))
BENCH_LIB_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard qdisc-tests/bench/lib/*.c))

export TCCTL_BUILD = $(abspath $(B))

.PHONY: FORCE all bpf lib tool tests demo test check bench install clean deps lint lint-full cross-check test-vm test-leak test-all sweep fuzz
.DELETE_ON_ERROR:
.SECONDARY:

all: bpf lib tool

# What is compiled depends on the compiler and its flags: these files change when those do.
$(B)/.c-flags: STAMP = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(PKG_LIBS)
$(B)/.bpf-flags: STAMP = $(CLANG) $(BPF_CFLAGS)
$(B)/.c-flags $(B)/.bpf-flags: FORCE
	$(shell mkdir -p $(@D))$(file >$@.new,$(STAMP))
	@if cmp -s $@.new $@; then rm -f $@.new; else mv $@.new $@; fi
FORCE:

bpf: $(BPF_OBJ) $(B)/bpf/pipeline.bpf.o
lib: $(B)/libtcctl.a $(B)/libtcctl.so
tool: $(B)/tcctl
tests: all $(TEST_BIN) $(TOOLS_BIN) $(TEST_BPF)
	@: # so that make is silent when there is nothing to do

$(B)/bpf/%.bpf.o: bpf-progs/%.bpf.c $(B)/.bpf-flags
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MF $@.d -c $< -o $@

$(B)/bpf/pipeline/%.bpf.o: bpf-progs/%.bpf.c $(B)/.bpf-flags
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	@# one command: make does not delete what it made when the second of two is a program that is not there
	$(Q)$(CLANG) $(BPF_CFLAGS) -DTCCTL_PIPELINE -MF $@.d -c $< -o $@ && \
		$(LLVM_OBJCOPY) -R .BTF.ext -R .rel.BTF.ext $@

$(B)/tests/%.bpf.o: qdisc-tests/%.bpf.c $(B)/.bpf-flags
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MF $@.d -c $< -o $@

$(B)/examples/%.bpf.o: examples/%.bpf.c $(B)/.bpf-flags
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MF $@.d -c $< -o $@

$(B)/bpf/alone.bpf.o: $(ALONE_OBJ)
$(B)/bpf/pipeline.bpf.o: $(PIPELINE_OBJ)
$(B)/bpf/pipeline.bpf.o $(B)/bpf/alone.bpf.o:
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(B)/skel/%.skel.h: $(B)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@

$(B)/%.o: %.c $(B)/.c-flags | $(SKEL) $(B)/skel/act.skel.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(B)/tool/%.o: tcctl/%.c $(B)/.c-flags | $(SKEL) $(B)/skel/act.skel.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(B)/libtcctl.a: $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/libtcctl.so: $(LIB_OBJ) lib/libtcctl.map
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,libtcctl.so.$(SONAME) -Wl,--version-script=lib/libtcctl.map \
		$(if $(SAN),,-Wl$(comma)-z$(comma)defs) -o $@ $(LIB_OBJ) $(PKG_LIBS)

$(B)/tcctl: $(TOOL_OBJ) $(B)/libtcctl.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(B)/tests/%: qdisc-tests/%.c $(B)/.c-flags $(TEST_LIB_OBJ) $(B)/libtcctl.a
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Iqdisc-tests/lib -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(TEST_LIB_OBJ) $(B)/libtcctl.a \
		$(PKG_LIBS) -lpcap -lm

$(BENCH_LIB_OBJ): private ALL_CFLAGS += -Iqdisc-tests/lib
$(B)/bench/%: qdisc-tests/bench/%.c $(B)/.c-flags $(BENCH_LIB_OBJ) $(TEST_LIB_OBJ) $(B)/libtcctl.a
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Iqdisc-tests/lib -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(BENCH_LIB_OBJ) $(TEST_LIB_OBJ) $(B)/libtcctl.a \
		$(PKG_LIBS) -lm

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# Test tools stand alone: they need no library of ours, so that they can be used on anything.
$(TOOLS_BIN): $(B)/tests/tools/%: qdisc-tests/tools/%.c $(B)/.c-flags $(TOOLS_LIB_OBJ)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -Iqdisc-tests/tools $(ALL_LDFLAGS) -o $@ $< $(TOOLS_LIB_OBJ) $(PKG_LIBS) -lpcap

$(TOOLS_LIB_OBJ): $(B)/%.o: %.c $(B)/.c-flags | $(B)/skel/qt_observe.skel.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Iqdisc-tests/tools -MMD -MP -c $< -o $@

$(B)/skel/qt_observe.skel.h: $(B)/tests/qt_observe.bpf.o
	$(call say,SKEL,$@)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name qt_observe > $@

$(B)/tests/qt_observe.bpf.o: qdisc-tests/tools/qt/observe.bpf.c qdisc-tests/tools/qt/observe.h $(B)/.bpf-flags
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MF $@.d -c $< -o $@

MAN := $(wildcard docs/man/*.[1-8])
MAN_DIRS := $(sort $(foreach m,$(MAN),$(PREFIX)/share/man/man$(subst .,,$(suffix $(m)))))

# --- what people run ---------------------------------------------------------------------------------
deps:
	@packaging/install-deps

demo: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all tests
	@examples/demo.sh

test: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all tests
	@qdisc-tests/run $(if $(T),$(T),all)

check:
	@$(MAKE) --no-print-directory -j$$(nproc) all tests
	@qdisc-tests/run $(if $(T),$(T),unit)

test-vm: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all tests
	@qdisc-tests/run $(if $(T),$(T),vm-all)

# Hours: this many cycles of apply, change and remove leave nothing behind.
CYCLES ?= 100000
test-leak: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all tests
	@CYCLES=$(CYCLES) CHANGES=$(CYCLES) SECONDS_MAX=0 QT_TIME_FACTOR=10000 qdisc-tests/run -v net/leak

# Hours: this many small rule sets of each kind, from seed SEED_FIRST on, compiled and compared with the linear model.
SEEDS ?= 300
SEED_FIRST ?= 1
sweep:
	@$(MAKE) --no-print-directory -j$$(nproc) $(B)/tests/unit/rules_sweep
	@SEEDS=$(SEEDS) SEED_FIRST=$(SEED_FIRST) QT_TIME_FACTOR=1000 qdisc-tests/run -v unit/rules_sweep

bench: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all tests $(BENCH_BIN)
	@qdisc-tests/bench/run

# Static checks; the rest of what they need is installed first. lint-full adds gcc -fanalyzer.
# The quotes of the version are for a shell, which does not see these flags.
lint lint-full:
	@packaging/install-deps build lint
	@$(MAKE) --no-print-directory $(SKEL) $(B)/skel/act.skel.h $(B)/skel/qt_observe.skel.h
	@LINT_CFLAGS='$(filter-out -DTCCTL_VERSION=%,$(ALL_CFLAGS)) -DTCCTL_VERSION="$(VERSION)" -Iqdisc-tests/lib -Iqdisc-tests/tools' \
		packaging/lint $(or $(T),$(if $(filter lint-full,$@),full))

install: all $(B)/tests/tools/qt
	install -d $(addprefix $(DESTDIR),/etc/tcctl $(PREFIX)/sbin $(LIBDIR)/pkgconfig $(LIBDIR)/tcctl $(PREFIX)/include/tcctl \
		$(PREFIX)/share/doc/tcctl/examples $(PREFIX)/share/bash-completion/completions $(MAN_DIRS))
	install -m 755 $(B)/tcctl $(DESTDIR)$(PREFIX)/sbin/tcctl
	install -m 755 $(B)/tests/tools/qt $(DESTDIR)$(PREFIX)/sbin/qt
	install -m 644 $(B)/libtcctl.a $(DESTDIR)$(LIBDIR)/libtcctl.a
	install -m 755 $(B)/libtcctl.so $(DESTDIR)$(LIBDIR)/libtcctl.so.$(VERSION)
	ln -sf libtcctl.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libtcctl.so.$(SONAME)
	ln -sf libtcctl.so.$(SONAME) $(DESTDIR)$(LIBDIR)/libtcctl.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' packaging/libtcctl.pc.in \
		> $(DESTDIR)$(LIBDIR)/pkgconfig/libtcctl.pc
	install -m 644 lib/tcctl.h $(DESTDIR)$(PREFIX)/include/tcctl.h
	install -m 644 bpf-progs/include/tcctl/*.h $(DESTDIR)$(PREFIX)/include/tcctl/
	install -m 644 $(BPF_OBJ) $(DESTDIR)$(LIBDIR)/tcctl/
	install -m 644 packaging/completion/tcctl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tcctl
	install -m 644 README.md CHANGELOG.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/tcctl/
	install -m 644 qdisc-tests/README.md $(DESTDIR)$(PREFIX)/share/doc/tcctl/qt.md
	cp -r examples/. $(DESTDIR)$(PREFIX)/share/doc/tcctl/examples/
	$(foreach m,$(MAN),install -m 644 $(m) $(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(m)))/ &&) true

# Every program also compiles for big-endian, and the C code for aarch64 (the library headers of this machine serve:
# nothing is linked).
CROSS ?= aarch64-linux-gnu-gcc
cross-check: $(SKEL) $(B)/skel/act.skel.h
	@$(MAKE) --no-print-directory B=$(B)/bpfeb BPF_TARGET=bpfeb $(BPF_SRC:bpf-progs/%.bpf.c=$(B)/bpfeb/bpf/%.bpf.o)
	$(call say,CROSS,$(CROSS))
	@printf '%s\n' $(LIB_SRC) $(TOOL_SRC) | xargs -P $$(nproc) -n 8 $(CROSS) $(ALL_CFLAGS) -fsyntax-only \
		-idirafter /usr/include -idirafter /usr/include/$$($(CC) -print-multiarch)

# Each fuzz target for FUZZ_SECONDS; what it finds stays in build/fuzz/.
FUZZ_SECONDS ?= 60
FUZZ_BIN := $(patsubst qdisc-tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard qdisc-tests/fuzz/*.c))
FUZZ_OBJ := $(LIB_SRC:%.c=$(B)/fuzz/%.o)
FUZZ_CFLAGS = -g -O1 -std=gnu11 -D_GNU_SOURCE -DTCCTL_VERSION='"$(VERSION)"' $(WARN) -Ilib -Ibpf-progs/include -I$(B)/skel \
	$(PKG_CFLAGS) -fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined
$(B)/fuzz/%.o: %.c | $(SKEL) $(B)/skel/act.skel.h
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(B)/fuzz/%: qdisc-tests/fuzz/%.c $(FUZZ_OBJ)
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)/$*-corpus
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -Wno-missing-prototypes -fsanitize=fuzzer -o $@ $< $(FUZZ_OBJ) $(PKG_LIBS)

fuzz: $(FUZZ_BIN)
	$(foreach f,$(FUZZ_BIN),cd $(CURDIR)/$(B)/fuzz && ./$(notdir $(f)) -max_total_time=$(FUZZ_SECONDS) -verbosity=0 \
		$(addprefix -dict=,$(wildcard $(CURDIR)/qdisc-tests/fuzz/$(notdir $(f)).dict)) $(notdir $(f))-corpus \
		$(if $(filter spec,$(notdir $(f))),$(CURDIR)/qdisc-tests/unit/config $(CURDIR)/examples) &&) true

clean:
	rm -rf build build-san
