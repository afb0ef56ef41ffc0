// The loops of Sources/ApusBench/Subjects/WireFrames.swift.
#include "flow.h"

bool wire_parse(const struct frame_bytes *frames, size_t count, struct flow *flows, struct rtp *rtps, size_t repeats) {
    for (size_t round = 0; round < repeats; round++) {
        for (size_t i = 0; i < count; i++) {
            struct flow flow;
            if (parse_frame(frames[i].bytes, frames[i].size, &flow) != FLOW_OK) return false;
            size_t payload = flow.transport_offset + 8u;
            if (!parse_rtp(frames[i].bytes + payload, flow.udp_length - 8u, &rtps[i])) return false;
            flows[i] = flow;
        }
    }
    return true;
}

bool wire_encode(const struct frame_bytes *frames, size_t count, const struct encapsulation *headers,
                 const struct rtp *rtps, size_t repeats) {
    for (size_t round = 0; round < repeats; round++) {
        for (size_t i = 0; i < count; i++) {
            size_t start = header_count(&headers[i]);
            if (frames[i].size < start) return false;
            size_t payload = frames[i].size - start;
            if (!encode_headers(&headers[i], frames[i].bytes, frames[i].size, payload, 0)) return false;
            if (!encode_rtp(&rtps[i], frames[i].bytes + start, payload)) return false;
        }
    }
    return true;
}
