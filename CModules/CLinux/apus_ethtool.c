#include "apus_ethtool.h"

#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int apus_ethtool(const char *interface, void *command) {
    struct ifreq request = {0};
    if (strlen(interface) >= sizeof request.ifr_name) {
        errno = ENODEV;
        return -1;
    }
    strcpy(request.ifr_name, interface);
    request.ifr_data = command;
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (any < 0) return -1;
    int result = ioctl(any, SIOCETHTOOL, &request);
    int code = errno;
    close(any);
    errno = code;
    return result < 0 ? -1 : 0;
}
