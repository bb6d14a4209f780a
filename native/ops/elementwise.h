#pragma once
#include "ops/op.h"

namespace hrm::ops {

inline Plan unary_rule(const Args &in, const NoAttrs &) { return {in[0].dtype, in[0].shape}; }

inline Plan binary_rule(const char *op, const Args &in) {
  return {in[0].dtype, broadcast(op, in[0].shape, in[1].shape)};
}

inline Plan compare_rule(const char *op, const Args &in) {
  return {DType::kBool, broadcast(op, in[0].shape, in[1].shape)};
}

inline Schema unary_schema(Promotion promotion) {
  Schema s{{strided("x")}, {}};
  s.rule = &erase_rule<NoAttrs, unary_rule>;
  s.promotion = promotion;
  s.in_place = true;
  return s;
}
inline Schema binary_schema(Promotion promotion, Rule rule) {
  Schema s{{strided("a"), strided("b")}, {}};
  s.rule = rule;
  s.promotion = promotion;
  s.in_place = true;
  return s;
}
inline Schema compare_schema(Rule rule) {
  Schema s{{strided("a"), strided("b")}, {}};
  s.rule = rule;
  s.promotion = Promotion::kAny;
  return s;
}

} // namespace hrm::ops
