"""`python -m cpm_opt.cli` is `cpm`."""

from cpm_opt.cli import main

main()
