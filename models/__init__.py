"""What the recommenders say."""

import os

# OpenMP's threads spin while they wait for each other. Where another program wants a core, a training step of models as
# small as these then takes 800 ms instead of 70 (one encoder layer, width 64, two busy cores). Read once, when torch is
# first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
