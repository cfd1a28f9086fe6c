"""What holds for every test: the components of other packages, should any be installed, are left out."""

import os

os.environ["CPM_OPT_PLUGINS"] = "0"
