"""Finds the page of the guide that explains an error of PyTorch."""

from __future__ import annotations

import re

PAGES = "https://gradguide.github.io/gradguide/en/reference/errors/"

NAMES = (
    "element_0_of_tensors_does_not_require_grad",
    "grad_can_be_implicitly_created_only_for_scalar_outputs",
    "trying_to_backward_through_the_graph_a_second_time",
    "inference_tensors_cannot_be_saved_for_backward",
    "modified_by_an_inplace_operation",
    "appears_to_not_have_been_used_in_the_graph",
    "one_of_the_differentiated_tensors_does_not_require_grad",
    "inputs_argument_to_backward_cannot_be_empty",
    "grad_can_be_implicitly_created_only_for_real_scalar_outputs",
    "checkpoint_is_incompatible_with_grad",
    "saved_tensor_that_has_been_detached_in_place",
    "only_tensors_of_floating_point",
    "you_can_only_change_requires_grad_flags_of_leaf_variables",
    "cant_retain_grad_on_tensor",
    "attempted_to_use_an_uninitialized_parameter",
    "you_are_attempting_to_call_tensor_requires_grad",
    "optimizer_got_an_empty_parameter_list",
    "cant_optimize_a_non_leaf_tensor",
    "parameters_appear_in_more_than_one_parameter_group",
    "parameters_need_to_be_organized_in_ordered_collections",
    "different_number_of_parameter_groups",
    "parameter_group_that_doesnt_match_the_size",
    "zip_argument_2_is",
    "keyerror_initial_lr",
    "no_inf_checks_were_recorded_for_this_optimizer",
    "attempting_to_unscale_fp16_gradients",
    "leaf_variable_that_requires_grad_is_being_used_in_an_in_place_operation",
    "cant_call_numpy_on_tensor_that_requires_grad",
    "got_unsupported_scalartype_bfloat16",
    "have_the_same_dtype",
    "unsupported_operand_type_s_for_float_and_nonetype",
    "cant_detach_views_in_place",
    "torch_nn_parameter_or_none_expected",
    "nn_module_to_only_accepts_floating_point_or_complex_dtypes",
    "multiheadattention_does_not_support_nestedtensor",
    "inplace_update_to_inference_tensor",
    "a_view_was_created_in_no_grad_mode",
    "does_not_support_the_context_manager_protocol",
    "expected_to_have_finished_reduction",
    "expected_to_mark_a_variable_ready_only_once",
    "distributeddataparallel_is_not_needed",
    "must_flatten_tensors_with_uniform_requires_grad",
    "only_tensors_created_explicitly_by_the_user",
    "refusing_to_serialize_non_leaf_tensor",
    "setting_requires_grad_true_on_inference_tensor",
    "layout_tensor_to_numpy",
    "a_different_number_of_tensors_was_saved",
    "recomputed_values_for_the_following_tensors_have_different_metadata",
    "lbfgs_doesnt_support_per_parameter_options",
    "expected_tensor_as_element",
    "element_1_of_tensors_does_not_require_grad",
    "muon_only_supports_2d_parameters",
    "expected_more_than_1_value_per_channel_when_training",
    "none_of_output_has_requires_grad_true",
    "returned_an_invalid_gradient_at_index",
    "legacy_autograd_function",
    "returned_nan_values_in_its_0th_output",
    "is_a_view_and_is_being_modified_inplace",
    "cannot_register_a_hook_on_a_tensor",
    "is_not_differentiable_with_respect_to_argument",
    "differs_from_when_reducelronplateau_was_initialized",
    "you_must_implement_either_the_backward_or_vjp_method",
    "expected_variable_or_none",
    "returned_an_incorrect_number_of_gradients",
    "expected_scalar_type_float_but_found_bfloat16",
    "inference_tensors_do_not_track_version_counter",
    "trying_to_differentiate_twice_a_function_that_was_marked_with_once_differentiable",
    "from_each_model_to_have_the_same_requires_grad",
    "training_with_multiple_optimizers_is_only_supported_with_manual_optimization",
    "unscale_has_already_been_called_on_this_optimizer",
    "is_not_supported_for_manual_optimization",
    "derivative_for_aten_scaled_dot_product",
    "aot_autograd_does_not_currently_support_double_backward",
    "no_inf_checks_were_recorded_prior_to_update",
    "you_cannot_perform_fine_tuning_on_purely_quantized_models",
)
"""The pages: each name is a part of the error's class and text, with underscores."""


def page_of(error: BaseException | None) -> str | None:
    """Return the address of the page that explains an error; None if there is none."""
    text = f"{type(error).__name__}: {error}".lower().replace("'", "")
    slug = re.sub(r"[^a-z0-9]+", "_", text)
    return next((f"{PAGES}{name}.html" for name in NAMES if name in slug), None)
