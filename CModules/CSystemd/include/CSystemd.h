// libsystemd: service notification.
#pragma once
#include <systemd/sd-daemon.h>
