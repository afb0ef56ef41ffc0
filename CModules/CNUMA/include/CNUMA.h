// libnuma: memory placed on a chosen node.
#pragma once
#include <numa.h>
