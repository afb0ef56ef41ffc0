// libpcap: capture files.
#pragma once

// libpcap and the kernel each have a struct of this name, and a program can't see both.
#define bpf_insn pcap_bpf_insn
#include <pcap/pcap.h>
#undef bpf_insn
