// Numbers that glibc has as enumerators. Every C module that includes its headers brings them along, and which
// of them Swift takes them from changes with what a file happens to be compiled with; these are from here only.
#pragma once

static const int APUS_SOCK_STREAM = 1;
static const int APUS_SOCK_DGRAM = 2;
static const int APUS_SOCK_RAW = 3;
static const int APUS_SOCK_CLOEXEC = 02000000;
static const int APUS_SOCK_NONBLOCK = 04000;
static const int APUS_MSG_DONTROUTE = 0x04;
static const int APUS_MSG_DONTWAIT = 0x40;
static const int APUS_MSG_NOSIGNAL = 0x4000;
static const int APUS_IPPROTO_IP = 0;
static const int APUS_IPPROTO_UDP = 17;
static const int APUS_IPPROTO_IPV6 = 41;
static const int APUS_SHUT_RDWR = 2;
