// libcap-ng: which capabilities this process has.
#pragma once
#include <cap-ng.h>
