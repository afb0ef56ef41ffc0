# Apus: `make demo` to see it, `make test` to check it, `make install` to have it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.PHONY: help setup build install install-files uninstall demo test without-dpdk fuzz sanitize bench bench-short bench-check bench-record docs format lint clean

PREFIX ?= /usr/local
SECONDS_PER_TARGET ?= 30
# The suites that make bench measures, none for all; and files for the figures and for a page with plots.
SUITE ?=
JSON ?=
HTML ?=
# Packages are installed with these words of debian-packages.txt's first column.
WITH ?= build
SWIFT_FILES = $$(git ls-files '*.swift')
# By another name, since make runs even for -n the recipes in which it reads MAKE.
AGAIN = $(MAKE) --no-print-directory

help:
	@cat <<'EOF'
	make demo       watch a real video stream cross Apus, in namespaces of its own (root)
	make test       every test, with ffmpeg, GStreamer and tshark as peers (root, for its namespaces)
	make build      the release build: .build/release/apus
	make install    build, and put apus, its manual, completions and systemd units under $(PREFIX)
	make uninstall  remove what make install has put there
	  both: PREFIX=DIR is another place than /usr/local, DESTDIR=DIR a folder to put it all below, as for a package
	make setup      only install the Debian packages that are missing
	make without-dpdk  build without DPDK, and run the tests of what differs then
	make fuzz       every parser under libFuzzer, SECONDS_PER_TARGET=$(SECONDS_PER_TARGET)
	make sanitize   the tests under the address and the thread sanitizer
	make bench      measure beside C and DPDK; SUITE=rings for one suite or SUITE=rings/spsc for a part, JSON=FILE HTML=FILE for the figures
	make bench-check  a short run that fails when a target of Benchmarks/targets.json is missed
	make bench-short  what make test measures at its end: on one core, beside the ratios of Benchmarks/baseline.json
	make bench-record  measure on one core, and make those the ratios of record
	make docs       the API's documentation as a web site: .build/docs
	make format     format the sources; make lint checks them
	EOF

setup:
	@command -v swift >/dev/null || {
		echo "apus: no Swift toolchain on the PATH; Swift 6.2 or later is at https://www.swift.org/install/linux" >&2
		[[ -z "$${SUDO_USER:-}" ]] || echo 'apus: it is on yours, but not on root'"'"'s? Then: sudo env PATH="$$PATH" make $(MAKECMDGOALS)' >&2
		exit 69
	}
	missing=()
	here=$$(dpkg --print-architecture 2>/dev/null || true)
	for package in $$(awk -v with=" $(WITH) " -v here="$$here" '!/^#/ && (NF == 2 || NF == 3 && $$3 == here) \
		&& index(with, " " $$1 " ") { print $$2 }' debian-packages.txt); do
		dpkg-query -W -f '$${Status}' "$$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$$package")
	done
	if (( $${#missing[@]} )); then
		command -v apt-get >/dev/null || { echo "apus: these Debian packages are missing, and there is no apt-get to install them: $${missing[*]}" >&2; exit 69; }
		(( EUID == 0 )) || { echo "apus: these packages are missing; install them with: sudo apt-get install $${missing[*]}" >&2; exit 77; }
		echo "installing $${missing[*]}"
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$${missing[@]}" >/dev/null 2>&1 || {
			DEBIAN_FRONTEND=noninteractive apt-get update -qq
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$${missing[@]}" >/dev/null
		}
	fi
	[[ " $(WITH) " != *" test "* ]] || Tests/QEMU/kernel.sh

# An incremental build does not see all that has changed in another module's types and inlinable code, and then gives a
# program that is wrong. So what was built from other sources goes.
fresh = [[ ! -e $(1) || -z "$$(find Sources CModules BPF Package.swift -newer $(1) -type f -print -quit)" ]] \
	|| rm -rf "$$(readlink -f $(dir $(1)))"

# With Swift's libraries inside, so that it runs where the toolchain is not. The linker is the toolchain's own: the default
# one warns of a function that Foundation has in it.
RELEASE = $(call fresh,.build/release/apus); swift build -c release --product apus --static-swift-stdlib -Xswiftc -use-ld=lld

build: setup
	@$(RELEASE)

install: build
	@$(AGAIN) install-files

# Of a program that is built already: APUS=FILE.
APUS ?= .build/release/apus
PLACE = $(DESTDIR)$(PREFIX)
MANUAL = share/man/man1/apus.1
BASH_COMPLETION = share/bash-completion/completions/apus
ZSH_COMPLETION = share/zsh/site-functions/_apus
FISH_COMPLETION = share/fish/vendor_completions.d/apus.fish
UNITS = lib/systemd/system

install-files:
	@put() { install -D -m 644 /dev/stdin "$(PLACE)/$$1"; }
	install -D -m 755 "$(APUS)" "$(PLACE)/bin/apus"
	"$(APUS)" man | put $(MANUAL)
	"$(APUS)" completion bash | put $(BASH_COMPLETION)
	"$(APUS)" completion zsh | put $(ZSH_COMPLETION)
	"$(APUS)" completion fish | put $(FISH_COMPLETION)
	for unit in Packaging/*.service.in; do
		sed 's|@PREFIX@|$(PREFIX)|' "$$unit" | put "$(UNITS)/$$(basename "$$unit" .in)"
	done
	echo "installed $(PLACE)/bin/apus"

uninstall:
	@cd "$(PLACE)" && rm -f bin/apus $(MANUAL) $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION) $(patsubst Packaging/%.in,$(UNITS)/%,$(wildcard Packaging/*.service.in))

demo:
	@$(AGAIN) build WITH="build demo"
	Tests/Demo/demo.sh .build/release/apus

# In the build folder of the examples, so that what both take from Apus is compiled once.
SHORT = SCRATCH="$(CURDIR)/Examples/.build" Benchmarks/run.sh

test:
	@$(AGAIN) setup WITH="build demo test"
	$(AGAIN) lint
	# What the tests build of other packages, beside the builds of this one: those of whole modules leave cores free.
	mkdir -p .build
	$(call fresh,Examples/.build/release/HotPath)
	set -m
	{ $(SHORT) build && swift build -c release --package-path Examples && Tests/Fuzz/run.sh build; } >.build/beside.log 2>&1 &
	beside=$$!
	set +m
	trap 'kill -- -$$beside 2>/dev/null || true' EXIT
	$(RELEASE)
	! ldd .build/release/apus | grep swift || { echo "apus: the release build leans on the toolchain's libraries" >&2; exit 1; }
	$(call fresh,.build/debug/apus)
	swift build --build-tests
	wait $$beside || { cat .build/beside.log >&2; exit 1; }
	trap - EXIT
	Tests/run.sh
	Tests/Fuzz/run.sh 3
	$(SHORT) --ci

fuzz:
	@$(AGAIN) setup
	Tests/Fuzz/run.sh $(SECONDS_PER_TARGET)

# A run in which no test matched the filter passes for swift test.
define tests-ran
	grep -qE 'Test run with [1-9][0-9]* test' $(1) || { echo "apus: no test ran; see $(1)" >&2; exit 1; }
endef

# Not part of make test, since it builds all once more. In the other rooms nothing differs.
without-dpdk:
	@$(AGAIN) setup WITH="build demo test"
	swift build --build-tests --disable-default-traits --scratch-path .build/without
	.build/without/debug/*PackageTests.xctest --testing-library swift-testing --no-parallel \
		--filter '^(ApusCLITests|ApusConfigTests|ApusRuntimeTests)\.' 2>&1 | tee .build/without.log
	$(call tests-ran,.build/without.log)

# Each in a build folder of its own, since the flags differ. The thread sanitizer needs the release build: a debug
# build is too slow to show a race of two loads.
RACING = ApusRingsTests ApusPortsTests ApusRuntimeTests ApusTimeTests
empty :=
SPACE = $(empty) $(empty)

# Two tests say nothing under the address sanitizer: its allocator decides where memory lies, and to look for leaks it needs a
# thread, which one of them denies to the program.
NOT_UNDER_ADDRESS = ^LawTests\.|^LabTests\.|Placements put what is allocated|a thread that can.t be started

sanitize:
	@$(AGAIN) setup WITH="build demo test"
	for target in $(RACING); do
		[[ -d Tests/$$target ]] || { echo "apus: there is no Tests/$$target any more: see make sanitize" >&2; exit 1; }
	done
	mkdir -p .build
	LSAN_OPTIONS=suppressions=$(CURDIR)/Tests/leaks.txt:print_suppressions=0 \
		swift test --no-parallel --sanitize address --scratch-path .build/address --skip '$(NOT_UNDER_ADDRESS)' \
		2>&1 | tee .build/address.log
	$(call tests-ran,.build/address.log)
	TSAN_OPTIONS=suppressions=$(CURDIR)/Tests/races.txt \
		swift test --no-parallel -c release -Xswiftc -enable-testing --sanitize thread --scratch-path .build/thread \
		--filter '$(subst $(SPACE),|,$(RACING))' 2>&1 | tee .build/thread.log
	$(call tests-ran,.build/thread.log)

# What the suites that are asked for need: the peers in processes of their own are for some only.
BENCH_WITH = build $(if $(strip $(filter-out rings pool wire crypto scale rings/% pool/% wire/% crypto/% scale/%,$(or $(SUITE),all))),bench-peers)

bench:
	@Benchmarks/run.sh names $(SUITE)
	$(AGAIN) setup WITH="$(BENCH_WITH)"
	Benchmarks/run.sh $(SUITE) $(if $(JSON),--json "$(JSON)") $(if $(HTML),--html "$(HTML)")

bench-short:
	@$(AGAIN) setup WITH="build bench-short"
	$(call fresh,Examples/.build/release/HotPath)
	$(SHORT) --ci

bench-record:
	@$(AGAIN) setup WITH="build bench-short"
	Benchmarks/run.sh --record

bench-check:
	@Benchmarks/run.sh names $(SUITE)
	$(AGAIN) setup WITH="$(BENCH_WITH)"
	Benchmarks/run.sh --check $(SUITE)

# One site for all rooms, since users import all of them as Apus.
docs:
	@$(AGAIN) setup
	swift build -c release --target Apus
	built=$$(swift build -c release --show-bin-path)
	rooms=$$(cd Sources && ls -d Apus?* | grep -vE 'ApusCLI|ApusBench' | paste -sd,)
	includes=()
	for folder in CModules/*; do
		map="$$built/$$(basename $$folder).build/module.modulemap"
		[[ ! -f $$map ]] || includes+=(-Xcc "-I$$folder/include" -Xcc "-fmodule-map-file=$$map")
	done
	rm -rf .build/docs .build/symbols && mkdir -p .build/symbols
	swift symbolgraph-extract -module-name Apus -target "$$(uname -m)-unknown-linux-gnu" -I "$$built/Modules" \
		-experimental-allowed-reexported-modules="$$rooms" -output-dir .build/symbols "$${includes[@]}"
	docc convert Sources/Apus/Apus.docc --additional-symbol-graph-dir .build/symbols --output-path .build/docs \
		--fallback-display-name Apus --fallback-bundle-identifier apus --warnings-as-errors

format:
	@swift format format -i --configuration .swift-format $(SWIFT_FILES) </dev/null

# The rooms are one module in the documentation: a link that names another room fails there, which takes minutes.
lint:
	@swift format lint --strict --configuration .swift-format $(SWIFT_FILES) </dev/null
	! git grep -nE '``Apus[A-Z][A-Za-z]*/' -- Sources || { echo "apus: links of the documentation begin with the type, as Packet/port does" >&2; exit 1; }

clean:
	@rm -rf .build Examples/.build Tests/Fuzz/.build Benchmarks/.build
