# Every target sets itself up: system packages where we are root, a virtual environment, the kit in it.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
TEST_STAMP := $(VENV)/.set-up-test
APART := $(VENV)/apart/.set-up
LAB_LINK := $(VENV)/etc/jupyter/jupyter_server_config.d/containerlab.json
WORKERS ?= 2

.PHONY: demo site slides test test-all test-clients test-clients-docker lab bench gallery lint setup setup-test trust clean

setup: $(STAMP) $(LAB_LINK)
setup-test: $(TEST_STAMP) $(APART) $(LAB_LINK)

$(STAMP): pyproject.toml apt.txt
	sh scripts/apt-install.sh apt.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[lab]'
	touch $@

$(TEST_STAMP): $(STAMP) apt-test.txt
	sh scripts/apt-install.sh apt-test.txt
	$(BIN)/python -m pip install --quiet --editable '.[lab,test]'
	touch $@

# For the files and programs of packages that must not be in the environment itself: JupyterLab would load nbgrader's
# panels into every test, and reveal.js comes with an extension of Sphinx that nothing here needs.
$(APART): course/apart.txt | $(STAMP)
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --target $(VENV)/apart -r course/apart.txt
	touch $@

$(LAB_LINK): | $(STAMP)
	sh scripts/link-lab.sh $(VENV)

demo: setup
	$(BIN)/python -m containerlab.lab.demo build/demo

# The course as web pages, outputs included: nothing is run, nothing is fetched.
site: setup
	$(BIN)/python -m course.site build/site

# For whoever teaches: reveal.js and all, for a hall without internet.
slides: setup $(APART)
	$(BIN)/python -m course.slides build/slides

test: setup-test lint
	$(BIN)/python -m pytest -m 'not slow' -n $(WORKERS) --dist loadfile

test-all: setup-test lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# The same cases against another engine prove them right: make test-clients DOCKER_HOST=unix:///run/docker.sock
test-clients: setup-test
	$(BIN)/python -m pytest tests/clients tests/build/test_build_against_docker.py tests/build/test_build_against_buildkit.py \
	    -n $(WORKERS) --dist loadfile

# And against a dockerd of the tests' own, with a bridge, in a network namespace of its own: as root, some ten minutes.
test-clients-docker: setup-test
	$(BIN)/python -m tests.real_docker tests/clients -m 'not slow'

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup-test
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python -m bench

# Every picture of every lesson as Chromium shows it, light and dark, from the outputs that the notebooks hold.
gallery: setup-test
	$(BIN)/python -m tests.browser.gallery docs/gallery

trust: setup
	$(BIN)/jupyter trust notebooks/*.ipynb notebooks/ko/*.ipynb

# Jupyter asks root to say so; the lessons run as root and without.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

lab: trust
	$(BIN)/jupyter lab $(AS_ROOT) --ServerApp.root_dir=. notebooks

clean:
	rm -rf build $(VENV)
