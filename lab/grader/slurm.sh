#!/bin/bash
# One class on a cluster with a shared folder: LAB, CLASS and SEED say what is graded.
#   LAB=1 CLASS=/shared/submissions SEED=4711 sbatch --array=1-16 lab/grader/slurm.sh
# Each task grades every 16th submission; one that was ended goes on where it was.  When all are
# done, the tables:  build/vitrine lab grade 1 --class /shared/submissions --seed 4711
#SBATCH --job-name=vitrine-lab
#SBATCH --cpus-per-task=2
#SBATCH --mem=2G
#SBATCH --time=01:00:00
vitrine=${VITRINE:-build/vitrine}
exec "$vitrine" lab grade "${LAB:?which lab?}" --class "${CLASS:?which folder?}" --seed "${SEED:-1}" \
    --part "${SLURM_ARRAY_TASK_ID:-1}/${SLURM_ARRAY_TASK_COUNT:-1}"
