"""cpm_opt: decides how a firm should serve and price its customers."""

__version__ = "0.1.0"
