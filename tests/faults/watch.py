"""Faults of the watcher: after each of them a run gets a wrong report, or is harmed."""

from __future__ import annotations

from tests.faults.checks import pytest
from tests.faults.fault import Fault, Replace, fault

COMMAND = "src/gradguide/_watch/command.py"
HOOKS = "src/gradguide/_watch/hooks.py"
JUDGE = "src/gradguide/_watch/judge.py"
ROWS = "src/gradguide/_watch/rows.py"
STEPS = "src/gradguide/_watch/steps.py"
USES = "src/gradguide/_origins/uses.py"
PROGRAMS = "tests/watch/test_programs.py"


def missed(verdict: str, name: str, program: str, words: str, edit: Replace) -> Fault:
    """Return a fault after which a mistake gets another verdict, or none."""
    test = f"{PROGRAMS}::test_a_mistake_is_explained[mistakes/{program}.py]"
    return fault(
        f"a wrong verdict of watch for {verdict}", name, pytest(test), words, edit
    )


def unsaid(name: str, program: str, words: str, edit: Replace) -> Fault:
    """Return a fault after which a remark is missing."""
    test = f"{PROGRAMS}::test_a_mistake_is_explained[mistakes/remarks/{program}.py]"
    return fault("a remark that is missing", name, pytest(test), words, edit)


def alarm(name: str, program: str, words: str, edit: Replace) -> Fault:
    """Return a fault after which a healthy program has a problem."""
    test = "test_a_healthy_program_has_no_problem_and_the_same_results"
    check = pytest(f"{PROGRAMS}::{test}[healthy/{program}.py]")
    return fault("a false alarm of watch", name, check, words, edit)


# A fault reads better as a few full lines than as one for each argument.
# fmt: off
FAULTS = (
    missed("moves, by the optimizer", "steps that move frozen tensors are overlooked",
        "stale_gradient/fisher_information", "Expected(verdict='moves'",
        Replace(JUDGE, "if record.by_step and (", "if False and (")),
    missed("moves, by its memory", "tensors that share memory are not compared",
        "shared_memory/flat_vector", "Expected(verdict='moves'",
        Replace(JUDGE, "if shared is not None:", "if False:")),
    missed("moves, of a buffer", "buffers are not compared",
        "batch_norm_drift/eval_undone_by_train", "Expected(verdict='moves'",
        Replace(HOOKS, "id(buffer) not in self.buffers", "False")),
    missed("still", "an update that is rounded away counts as too small for any number",
        "rounded_away/embedding_in_half", "Expected(verdict='still'",
        Replace(STEPS, "if times == math.inf:", "if True:")),
    missed("zero", "a gradient of zeros counts as a gradient",
        "zero_gradient/dead_relu", "Expected(verdict='zero'",
        Replace("src/gradguide/_memory.py", "return not tensor.count_nonzero()",
            "return False")),
    missed("cut", "what was cut counts as unused",
        "cut/hidden_state_of_the_last_layer", "Expected(verdict='cut'",
        Replace(USES, 'else "cut"', 'else "unused"')),
    missed("cut, at this line", "the line to blame is forgotten",
        "cut/decorated_call", "Expected(verdict='cut'",
        Replace(USES, "cut.why, cut.where)", "cut.why, None)")),
    missed("unused", "what is never read counts as unknown",
        "unused/layer_that_is_never_called", "Expected(verdict='unused'",
        Replace(USES, '"unused", "never read', '"unknown", "never read')),
    missed("not in optimizer", "what no optimizer holds counts as trained",
        "not_in_optimizer/decoder_forgotten", "Expected(verdict='not in optimizer'",
        Replace(JUDGE, '"not in optimizer", why', '"trains", why')),
    missed("unregistered", "layers in a plain list are overlooked",
        "plain_list/layers_in_a_list", "Expected(verdict='unregistered'",
        Replace(JUDGE, '"unregistered", why', '"unknown", why')),
    missed("orphan", "what only the optimizer holds counts as unused",
        "orphan/embedding_resized", "Expected(verdict='orphan'",
        Replace(ROWS, "if record.holder and self._judge.is_orphan(", "if False and (")),
    missed("nothing trains", "a run without any progress is not reported as a whole",
        "nothing_trains/loss_made_anew", "Expected(verdict='nothing trains'",
        Replace(ROWS, "if is_unknown or", "if True or")),
    missed("nan", "weights that are nan count as trained",
        "nan_weights/distance_of_equal_points", "Expected(verdict='nan'",
        Replace(JUDGE, "if bool(torch.isnan(local(tensor.detach())).any()):",
            "if False:")),
    missed("moves, as its flag is misspelt", "no attribute is taken for requires_grad",
        "misspelt_flag/flag_of_a_parameter", "Expected(verdict='moves'",
        Replace(JUDGE, "self._misspelt.get(id(tensor)) or misspelt_in(tensor)", '""')),
    missed("undone", "updates that are overwritten count as training",
        "undone/average_copied_back", "Expected(verdict='undone'",
        Replace(JUDGE, "record.returns > 1", "record.returns > 9")),
    missed("never cleared", "gradients may stay for ever",
        "never_cleared/one_of_two_optimizers", "Expected(verdict='never cleared'",
        Replace(ROWS, "if one.is_never_cleared:", "if False:")),
    missed("zero", "what was zero at first excuses a gradient for ever",
        "zero_gradient/gate_of_two_zeros", "Expected(verdict='zero'",
        Replace("src/gradguide/_watch/steps.py",
            "record.was_zero = record.was_zero and is_zero(tensor)", "pass")),
    missed("a step that never ran", "the end of a script is overlooked",
        "never_stepped/accumulation_never_full", "Expected(verdict='not in optimizer'",
        Replace(COMMAND, "error is None or isinstance(error, SystemExit)", "False")),
    unsaid("terms without a gradient are overlooked",
        "penalty_of_the_weights", "gives no gradient",
        Replace("src/gradguide/_watch/remarks.py",
            "    yield from _terms(observer)\n", "")),
    unsaid("a model in eval mode is overlooked",
        "stays_in_eval_mode", "trains in eval mode",
        Replace("src/gradguide/_watch/modes.py",
            "module is not None and not trained", "False")),
    unsaid("a DDP that never runs is overlooked",
        "calls_what_ddp_wraps", "around it never runs",
        Replace("src/gradguide/_watch/wrappers.py",
            'is_wrapper and not getattr(module, "_lazy_init_ran", True)', "False")),
    unsaid("gradients may be clipped while they are scaled",
        "clips_before_unscaling", "clips gradients at",
        Replace("src/gradguide/_watch/scaling.py", "elif _clips():", "elif False:")),
    unsaid("a term for another network is overlooked",
        "adversarial_term_is_detached", "what the steps",
        Replace("src/gradguide/_watch/terms.py",
            "mask & self._moved", "False")),
    unsaid("entries that decay are overlooked",
        "old_words_decay", "sets entries of its gradient",
        Replace("src/gradguide/_watch/zeroed.py",
            "is_zero & write.had", "is_zero & False")),
    unsaid("what a later optimizer forgets is overlooked",
        "filter_is_used_up", "trained by an earlier Adam",
        Replace("src/gradguide/_watch/remarks.py",
            "is_after and reached[one] & record.bit", "False")),
    unsaid("a parameter that is held twice is overlooked",
        "shared_trunk_twice", "whose step() moves it twice",
        Replace("src/gradguide/_watch/remarks.py",
            "for key, count in counts.items() if count > 1", "for key in ()")),
    unsaid("an iteration ends when an optimizer steps twice",
        "real_and_fake_steps", "also applies gradients from",
        Replace("src/gradguide/_watch/iterations.py", "PATIENCE = 20", "PATIENCE = 0")),
    unsaid("an old momentum is overlooked",
        "momentum_of_a_checkpoint", "moves these by momentum",
        Replace("src/gradguide/_watch/zeroed.py",
            'group.get("weight_decay") and values.any()', "True")),
    fault("a remark that is missing", "a rate that falls too early is overlooked",
        pytest("tests/watch/test_watch.py::"
            "test_a_rate_that_falls_too_early_is_named"), "assert",
        Replace("src/gradguide/_watch/stepped.py",
            "rate <= TINY * largest", "False")),
    missed("unregistered", "the line that uses a new tensor is not told",
        "orphan/made_in_forward", "Expected(verdict='unregistered'",
        Replace(JUDGE, 'return Verdict("unregistered", why, record.read)',
            'return Verdict("unregistered", why)')),
    missed("frozen, and never updated", "a copy that is not updated looks like another",
        "remarks/average_forgets_the_head", "Expected(verdict='frozen'",
        Replace("src/gradguide/_watch/sources.py",
            "mask |= origin if copy is tensor else 0", "pass")),
    missed("frozen after DDP", "DDP is not asked what it waits for",
        "frozen_after_ddp/all_biases", "Expected(verdict='frozen after DDP'",
        Replace("src/gradguide/_watch/wrappers.py",
            "if count > 0:", "if False:")),
    missed("failed", "a backward that raises is overlooked",
        "failed_backward/implicit_layer", "Expected(verdict='failed'",
        Replace(ROWS, "for failure in self._seen.backwards.failures:",
            "for failure in []:")),
    alarm("a rate that grows is no warm-up", "warmup_rounds_away", "'verdict': 'still'",
        Replace(STEPS, 'warm-up?", True', 'warm-up?", False')),
    alarm("a factor that starts at zero is no excuse", "dit_zero_and_warmup",
        "'verdict': 'zero'",
        Replace(JUDGE, "if other.bit & factors and", "if False and")),
    alarm("gradients that cancel out are no excuse", "ranking_loss",
        "'verdict': 'zero'",
        Replace(JUDGE, "if record.has_parts:", "if False:")),
    alarm("an average is written by hand", "byol", "'verdict': 'moves'",
        Replace("src/gradguide/_watch/sources.py",
            "if known.bit & mask and (known.trained or known.nonzero):", "if False:")),
    alarm("new data hides a tensor from the ledger", "moco_new_data",
        "'verdict': 'moves'",
        Replace("src/gradguide/_watch/ledger.py",
            "            self._note_address(tensor, own)\n", "            pass\n")),
    alarm("what is cleared for some tensors counts as lost", "last_layer_waits",
        "'verdict': 'still'",
        Replace(STEPS, "record.is_normal |= grad == _NONE and had_gradients",
            "pass")),
    fault("a run that watching changes", "the observer draws a random number",
        pytest(f"{PROGRAMS}::test_a_healthy_program_has_no_problem_and_the_same_results",
            "-k", "bias_before_batch_norm"), "assert '",
        Replace(HOOKS, "        self._depth += 1\n",
            "        self._depth += 1\n        torch.rand(1)\n")),
    fault("something that stays behind", "the hooks of modules are not removed",
        pytest("tests/watch/test_watch.py"), "assert ",
        Replace(HOOKS, "            handle.remove()\n", "            pass\n")),
    fault("a wrong exit code", "a script with problems ends with 0",
        pytest(f"{PROGRAMS}::test_a_mistake_is_explained[mistakes/zero_gradient/dead_relu.py]"),
        "assert 0 == 1",
        Replace(COMMAND, "return int(bool(self.report and self.report.problems))",
            "return 0")),
    fault("a run that gradguide costs", "an error of the package goes to the script",
        pytest("tests/watch/test_no_harm.py"), "LookupError",
        Replace(HOOKS, "                seen.on_trouble(error)\n",
            "                raise\n")),
)
# fmt: on
